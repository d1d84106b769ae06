"""Parallel conversions: complete files only, and no failure hides another, not even a crash of its process."""

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
from tests.data.prepare.originals import draw_noise, read_pixels, write_image

ROOT = Path(__file__).resolve().parents[3]


def make_gray(value: int) -> Image.Image:
    return Image.new("L", (3, 2), value)


def refuse(path: Path) -> Image.Image:
    raise ValueError(f"{path} is broken")


def crash(path: Path) -> Image.Image:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError(path)


def make_task(folder: Path, number: int, kind: str = "gray") -> ConversionTask:
    source = folder / f"{number}.raw"
    functions = {"gray": partial(make_gray, number), "refuse": partial(refuse, source), "crash": partial(crash, source)}
    return ConversionTask(source, folder / f"{number}.png", functions[kind])


@pytest.mark.parametrize("jobs", [0, 2])
def test_broken_originals_are_named_and_the_rest_is_converted(jobs: int, tmp_path: Path) -> None:
    tasks = [make_task(tmp_path, number, "refuse" if number in (1, 3) else "gray") for number in range(6)]
    outcome = run_tasks(tasks, jobs=jobs)
    assert (outcome.made, outcome.kept) == (4, 0)
    assert outcome.broken == tuple(f"{tmp_path / f'{number}.raw'} is broken" for number in (1, 3))
    assert [read_pixels(tmp_path / f"{number}.png").max() for number in (0, 2, 4, 5)] == [0, 2, 4, 5]


def test_a_file_that_crashes_its_process_is_named_and_the_rest_is_converted(tmp_path: Path) -> None:
    tasks = [make_task(tmp_path, number, "crash" if number in (1, 2) else "gray") for number in range(5)]
    outcome = run_tasks(tasks, jobs=2)
    assert len(list(tmp_path.glob("[0-9]*.png"))) == outcome.made + outcome.kept == 3
    assert [line.split(" crashes the process")[0] for line in outcome.broken] == [
        str(tmp_path / f"{number}.raw") for number in (1, 2)
    ]


def test_an_error_shared_by_two_files_is_reported_once(tmp_path: Path) -> None:
    task = make_task(tmp_path, 1, "refuse")
    other = ConversionTask(task.source, tmp_path / "other.png", task.make)
    assert len(run_tasks([task, other], jobs=0).broken) == 1


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
@pytest.mark.parametrize("cut", [1, 15, 200])
def test_a_truncated_file_is_not_intact(name: str, cut: int, tmp_path: Path) -> None:
    path = write_image(tmp_path / name, draw_noise(20, 30))
    assert is_intact(path)
    path.write_bytes(path.read_bytes()[:-cut])
    assert not is_intact(path)


def test_a_file_that_is_not_an_image_is_not_intact(tmp_path: Path) -> None:
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


def start_script(folder: Path, *, until: int) -> subprocess.Popen[str]:
    """Start a run with two workers in its own process group, and return when `until` files are written."""
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
    """Return whether a process group becomes empty within ten seconds."""
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("until", [0, 1])
def test_ctrl_c_ends_all_processes_quietly_and_leaves_no_draft(until: int, tmp_path: Path) -> None:
    process = start_script(tmp_path, until=until)
    time.sleep(0.3)  # with 0 files, the worker processes are about to start
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130 and errors == "" and is_empty(process.pid)
    assert not list((tmp_path / "out").glob(".draft-*"))


def test_no_process_outlives_one_that_was_killed(tmp_path: Path) -> None:
    process = start_script(tmp_path, until=1)
    process.kill()
    process.communicate(timeout=30)
    assert is_empty(process.pid)
