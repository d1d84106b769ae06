"""Many small conversions: whole files only, and no failure hides another, not even one that kills its process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from benchmark.data.prepare.work import ConversionTask, is_intact, run_tasks
from tests.data.prepare.originals import noise, pixels, write_image

ROOT = Path(__file__).resolve().parents[3]


def grey(value: int) -> Image.Image:
    return Image.new("L", (3, 2), value)


def refuse(path: Path) -> Image.Image:
    raise ValueError(f"{path} is broken")


def crash(path: Path) -> Image.Image:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError(path)


def task(folder: Path, number: int, kind: str = "grey") -> ConversionTask:
    source = folder / f"{number}.raw"
    make = {"grey": partial(grey, number), "refuse": partial(refuse, source), "crash": partial(crash, source)}[kind]
    return ConversionTask(source, folder / f"{number}.png", make)


@pytest.mark.parametrize("jobs", [0, 2])
def test_what_is_broken_is_named_and_the_rest_is_made(jobs: int, tmp_path: Path) -> None:
    tasks = [task(tmp_path, number, "refuse" if number in (1, 3) else "grey") for number in range(6)]
    outcome = run_tasks(tasks, jobs=jobs)
    assert (outcome.made, outcome.kept) == (4, 0)
    assert outcome.broken == tuple(f"{tmp_path / f'{number}.raw'} is broken" for number in (1, 3))
    assert [pixels(tmp_path / f"{number}.png").max() for number in (0, 2, 4, 5)] == [0, 2, 4, 5]


def test_a_file_that_kills_its_process_is_named_and_the_rest_is_made(tmp_path: Path) -> None:
    tasks = [task(tmp_path, number, "crash" if number in (1, 2) else "grey") for number in range(5)]
    outcome = run_tasks(tasks, jobs=2)
    assert len(list(tmp_path.glob("[0-9]*.png"))) == outcome.made + outcome.kept == 3
    assert [line.split(" ends the process")[0] for line in outcome.broken] == [
        str(tmp_path / f"{number}.raw") for number in (1, 2)
    ]


def test_one_complaint_of_two_files_is_heard_once(tmp_path: Path) -> None:
    one = task(tmp_path, 1, "refuse")
    assert len(run_tasks([one, ConversionTask(one.source, tmp_path / "other.png", one.make)], jobs=0).broken) == 1


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
@pytest.mark.parametrize("cut", [1, 15, 200])
def test_a_file_that_lost_its_end_is_not_whole(name: str, cut: int, tmp_path: Path) -> None:
    path = write_image(tmp_path / name, noise(20, 30))
    assert is_intact(path)
    path.write_bytes(path.read_bytes()[:-cut])
    assert not is_intact(path)


def test_what_is_no_image_is_not_whole(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("text")
    assert not is_intact(tmp_path / "a.png") and not is_intact(tmp_path / "b.png") and not is_intact(tmp_path)


SCRIPT = """
import sys
from functools import partial
from pathlib import Path
from PIL import Image
from benchmark.data.prepare.work import ConversionTask, run_tasks

if __name__ == "__main__":
    out = Path(sys.argv[1])
    tasks = [ConversionTask(out, out / f"{i}.png", partial(Image.new, "L", (900, 900), 0)) for i in range(10_000)]
    print(0, flush=True)
    try:
        run_tasks(tasks, jobs=2, on_progress=lambda done, total: print(done, flush=True))
    except KeyboardInterrupt:
        sys.exit(130)
"""


def started(folder: Path, *, until: int) -> subprocess.Popen[str]:
    """A run with two processes that has made so many files, in a process group of its own."""
    (folder / "script.py").write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, str(folder / "script.py"), str(folder / "out")],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(until + 1)] == [f"{done}\n" for done in range(until + 1)]
    return process


def is_empty(group: int) -> bool:
    """Whether no process is left in a group, within ten seconds."""
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("until", [0, 1])
def test_ctrl_c_ends_all_processes_quietly_and_leaves_no_draft(until: int, tmp_path: Path) -> None:
    process = started(tmp_path, until=until)
    time.sleep(0.3)  # of 0 files: until the processes are about to begin
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130 and errors == "" and is_empty(process.pid)
    assert not list((tmp_path / "out").glob(".draft-*"))


def test_no_process_outlives_one_that_was_killed(tmp_path: Path) -> None:
    process = started(tmp_path, until=1)
    process.kill()
    process.communicate(timeout=30)
    assert is_empty(process.pid)
