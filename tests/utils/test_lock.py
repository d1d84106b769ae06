"""One process at a time works on a run."""

from __future__ import annotations

import fcntl
import os
import select
import socket
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from benchmark.utils.lock import (
    JOB_VARIABLE,
    BusyError,
    Job,
    Owner,
    find_owner,
    hold_lock,
    identify_this_process,
    release_lock,
)

CHILD = """
import sys, time
from pathlib import Path
from benchmark.utils.lock import BusyError, hold_lock
try:
    with hold_lock(Path(sys.argv[1])):
        print(time.time(), flush=True)
        time.sleep(float(sys.argv[2]))
        print(time.time(), flush=True)
except BusyError:
    pass
"""


def _child(folder: Path, *, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, str(folder), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": os.getcwd()})


def _write(folder: Path, owner: Owner) -> None:
    (folder / "lock").write_text(owner.canonical())


def test_a_held_lock_names_its_owner_and_is_released(tmp_path: Path) -> None:
    with hold_lock(tmp_path):
        assert find_owner(tmp_path) == identify_this_process()
    assert find_owner(tmp_path) is None
    assert not (tmp_path / "lock").exists()


def test_a_lock_is_released_when_the_work_fails(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), hold_lock(tmp_path):
        raise RuntimeError
    assert not (tmp_path / "lock").exists()


def test_a_lock_of_a_living_process_is_respected(tmp_path: Path) -> None:
    with hold_lock(tmp_path), pytest.raises(BusyError, match=f"process {os.getpid()}"), hold_lock(tmp_path):
        pass


def test_a_lock_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    child = _child(tmp_path, seconds=60)
    assert child.stdout is not None and child.stdout.readline()
    child.kill()
    child.communicate()
    assert (tmp_path / "lock").exists()
    with hold_lock(tmp_path):
        assert find_owner(tmp_path) == identify_this_process()


def test_a_reused_process_id_is_another_process(tmp_path: Path) -> None:
    _write(tmp_path, identify_this_process().model_copy(update={"born": "1"}))
    assert find_owner(tmp_path) is None


@pytest.mark.parametrize(("age_s", "is_held"), [(10, True), (3600, False)])
def test_a_lock_of_another_host_is_respected_while_its_run_sends_heartbeats(
    tmp_path: Path, age_s: int, is_held: bool
) -> None:
    _write(tmp_path, Owner(pid=1, host=f"not-{socket.gethostname()}"))
    then = (tmp_path / "lock").stat().st_mtime - age_s
    os.utime(tmp_path / "lock", (then, then))
    assert (find_owner(tmp_path) is not None) == is_held


def test_of_many_processes_that_take_over_a_lock_one_holds_it_at_a_time(tmp_path: Path) -> None:
    _write(tmp_path, identify_this_process().model_copy(update={"born": "1"}))
    children = [_child(tmp_path, seconds=0.5) for _ in range(4)]
    spans = sorted(tuple(map(float, child.communicate()[0].split())) for child in children)
    held = [span for span in spans if span]
    assert held
    assert all(end <= start for (_, end), (start, _) in pairwise(held))


def test_processes_that_take_over_wait_for_each_other(tmp_path: Path) -> None:
    _write(tmp_path, identify_this_process().model_copy(update={"born": "1"}))
    folder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    child = _child(tmp_path, seconds=0)
    assert child.stdout is not None
    assert not select.select([child.stdout], [], [], 2.0)[0]
    os.close(folder)
    assert len(child.communicate()[0].split()) == 2


def test_looking_for_an_owner_changes_nothing(tmp_path: Path) -> None:
    assert find_owner(tmp_path / "absent") is None
    assert not (tmp_path / "absent").exists()


@pytest.mark.parametrize(("job", "restart", "is_taken"), [("7", 1, True), ("7", 0, False), ("8", 1, False)])
def test_a_later_start_of_the_same_job_takes_the_lock_of_a_living_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, job: str, restart: int, is_taken: bool
) -> None:
    _write(tmp_path, identify_this_process().model_copy(update={"job": Job(id="7", restart=0)}))
    monkeypatch.setenv(JOB_VARIABLE, Job(id=job, restart=restart, node="n2").canonical())
    if is_taken:
        with hold_lock(tmp_path):
            assert find_owner(tmp_path).job.node == "n2"
    else:
        with pytest.raises(BusyError), hold_lock(tmp_path):
            pass


def test_a_process_that_lost_its_lock_does_not_remove_the_new_one(tmp_path: Path) -> None:
    other = Owner(pid=1, host="elsewhere")
    with hold_lock(tmp_path):
        _write(tmp_path, other)
    assert find_owner(tmp_path) == other
    release_lock(tmp_path)
    assert find_owner(tmp_path) is None


def test_a_lock_that_cannot_be_written_is_named_and_not_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Owner, "canonical", refuse)
    with pytest.raises(OSError, match=r"cannot write .*lock: No space left on device"), hold_lock(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []
