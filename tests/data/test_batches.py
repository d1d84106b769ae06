"""Batches from worker processes where sockets, shared memory, open files or the file system are short or stuck."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from benchmark.data.batches import LoadingError, load_batches
from benchmark.data.samplers import SampleKey
from benchmark.utils.exit_codes import ExitCode
from benchmark.utils.paths import ROOT
from tests.data.stuck import Images


class Outcome(NamedTuple):
    """Exit code and output of a process that reads."""

    code: int
    out: str
    err: str


def read(
    folder: Path,
    *,
    workers: int | str = 2,
    hazard: str = "none",
    before: tuple[str, ...] = (),
    limit: Callable[[], None] | None = None,
    **variables: str,
) -> Outcome:
    """Read all batches in a process of its own that is given up after 30 s, as a hanging run would be noticed."""
    fifo = folder / "fifo"
    os.mkfifo(fifo)
    command = [*before, sys.executable, "-m", "tests.data.stuck", str(workers), hazard, str(fifo)]
    result = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"CHIMERA_BENCH_STALL_S": "1"} | variables,
        preexec_fn=limit,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return Outcome(result.returncode, result.stdout.strip(), result.stderr)


def make_long_folder(folder: Path) -> str:
    """Make a folder whose path has 147 characters, more than the path of a socket may have."""
    long = folder / ("t" * (147 - len(str(folder)) - 1))
    long.mkdir()
    return str(long)


def limit_files() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


def test_a_long_tmpdir_and_few_open_files_hinder_no_worker(tmp_path: Path) -> None:
    assert read(tmp_path, TMPDIR=make_long_folder(tmp_path), limit=limit_files) == (0, "12 done", "")


@pytest.mark.slow
def test_this_process_reads_if_there_are_too_few_open_files_for_the_workers(tmp_path: Path) -> None:
    code, out, err = read(tmp_path, workers=40, limit=limit_files)
    assert (code, out) == (0, "12 done")
    assert "40 data-loading workers cannot be started (Too many open files): this process reads the images" in err


@pytest.mark.slow
@pytest.mark.parametrize("mount", ["mount -t tmpfs -o size=32k none /dev/shm", "mount -t proc -o ro none /dev/shm"])
def test_a_tiny_or_missing_shm_hinders_no_worker_or_this_process_reads(tmp_path: Path, mount: str) -> None:
    before = ("unshare", "--mount", "sh", "-c", f'{mount} && exec "$@"', "sh")
    if subprocess.run([*before, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount")
    code, out, _ = read(tmp_path, before=before)
    assert (code, out) == (0, "12 done")


def test_workers_whose_read_never_ends_are_given_up_with_the_file(tmp_path: Path) -> None:
    _, out, _ = read(tmp_path, hazard="pipe")
    assert "StalledError: no progress for 1 s while 2 data-loading workers read image 0, image 1" in out


@pytest.mark.slow
def test_a_read_that_never_ends_in_this_process_is_given_up_with_the_file(tmp_path: Path) -> None:
    assert (
        "StalledError: no progress for 1 s while reading image 1: the" in read(tmp_path, workers=0, hazard="pipe").out
    )


@pytest.mark.slow
def test_a_read_that_no_signal_interrupts_ends_the_process(tmp_path: Path) -> None:
    code, out, err = read(tmp_path, workers=0, hazard="mutex")
    assert (code, out) == (ExitCode.STALLED, "")
    assert "no progress for 1 s while reading image 1" in err and "_meet_hazard" in err


@pytest.mark.slow
def test_a_worker_whose_read_no_signal_interrupts_does_not_keep_this_process(tmp_path: Path) -> None:
    assert "StalledError" in read(tmp_path, hazard="mutex").out


@pytest.mark.parametrize("stage", ["__iter__", "__next__"])
def test_a_worker_that_dies_while_others_start_or_is_forgotten_is_said(
    stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: object) -> None:
        raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. ")

    stages = {"__iter__": lambda self: self, "__next__": fail, stage: fail}
    monkeypatch.setattr("benchmark.data.batches.DataLoader", lambda *_, **__: type("Loader", (), stages)())
    with pytest.raises(LoadingError, match="data-loading worker 7 was killed from outside, or for lack of memory"):
        next(load_batches(Images("none", Path()), [[SampleKey(0, 0, 0)]], workers=1, describe=str))


def test_a_killed_worker_is_said(tmp_path: Path) -> None:
    _, out, _ = read(tmp_path, hazard="kill")
    assert "LoadingError: data-loading worker" in out
    assert out.endswith("was killed from outside, or for lack of memory: request more memory, or use fewer workers")


def test_no_handler_of_torch_stays_that_raises_wherever_this_process_is() -> None:
    code = """
import signal, sys
from pathlib import Path
from benchmark.data.batches import load_batches
from benchmark.data.samplers import SampleKey
from tests.data.stuck import Images
before = signal.getsignal(signal.SIGCHLD)
next(load_batches(Images("none", Path()), [[SampleKey(0, 0, 0)]], workers=1, describe=str))
sys.exit(signal.getsignal(signal.SIGCHLD) != before)
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60, check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_of_a_dataset_is_raised(tmp_path: Path, workers: int) -> None:
    assert "ValueError" in (out := read(tmp_path, workers=workers, hazard="error").out) and "a.png is broken" in out
