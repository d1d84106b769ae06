"""Tests of commands in the environments that users have: encodings, warning options, and settings of matplotlib."""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.cli.console import print_columns
from benchmark.cli.streams import is_unicode, set_up_streams
from benchmark.report.figures.study_figures import draw_all
from benchmark.report.rows import read_rows
from benchmark.report.study_results import collect_results
from benchmark.store.store import Store
from tests.report.world import two_rows

ROOT = Path(__file__).resolve().parents[2]
USETEX = "text.usetex: True\nfont.family: serif\naxes.grid: True\nbackend: TkAgg\n"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return a store with the study `demo`, one of whose rows has a name beyond Latin-1."""
    store = Store(tmp_path / "runs")
    plan = two_rows(store)
    rows = (plan.rows[0], plan.rows[1].model_copy(update={"label": "漢 ±"}))
    store.write_plan(plan.model_copy(update={"rows": rows}))
    return store


def run_process(store: Store, *arguments: str, folder: Path = ROOT, **variables: str | None) -> bytes:
    """Run a command in a process with some environment variables, None for no such variable, and return stdout."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    known = {name: value for name, value in environment.items() if value is not None}
    command = [sys.executable, "-m", "benchmark", "--runs", str(store.root), *arguments]
    done = subprocess.run(command, cwd=folder, env=known, capture_output=True)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    assert b"Warning" not in done.stderr
    return done.stdout


def test_text_becomes_plain_where_the_encoding_lacks_a_character(store: Store) -> None:
    out = run_process(store, "table", "demo", PYTHONIOENCODING="latin-1", PYTHONWARNINGS="error").decode("latin-1")
    assert r"\u6f22 ±" in out and "dhIoU" in out and "-----" in out


def test_json_is_escaped_and_files_are_utf8_whatever_the_encoding(store: Store) -> None:
    status = run_process(store, "status", "demo", "--json", PYTHONIOENCODING="latin-1")
    assert "漢 ±" in {run["row"] for run in json.loads(status.decode("ascii"))}
    assert "漢 ±" in run_process(store, "table", "demo", "-f", "csv", PYTHONIOENCODING="latin-1").decode("utf-8")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_text_that_does_not_fit_on_the_disk_is_an_error(store: Store, tmp_path: Path, unbuffered: str) -> None:
    def allow_small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": unbuffered}
    command = [sys.executable, "-m", "benchmark", "--runs", str(store.root), "status", "demo"]
    with (tmp_path / "out").open("wb") as out:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.PIPE, preexec_fn=allow_small_files
        )
    assert done.returncode == 1 and done.stderr == b"error: File too large\n"


def test_an_error_of_a_figure_is_true_of_those_that_were_written_before(store: Store, tmp_path: Path) -> None:
    def allow_small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))

    arguments = ["--runs", str(store.root), "plot", "demo", "--out", str(tmp_path / "figures"), "-f", "png"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmark", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        preexec_fn=allow_small_files,
    )
    error = done.stderr.splitlines()[-1]
    failed = Path(error.removeprefix("error: cannot write ").partition(":")[0])
    assert done.returncode == 1 and error.endswith("File too large; no part of it was left behind")
    assert list((tmp_path / "figures").iterdir()) and not failed.exists()


@pytest.mark.parametrize(
    "arguments", ["status demo --json", "table demo", "table demo -f csv", "list", "--version", "plot --help"]
)
def test_a_closed_stdout_is_an_error_of_every_command_that_prints(store: Store, arguments: str) -> None:
    command = f"{sys.executable} -m benchmark --runs {store.root} {arguments} >&-"
    done = subprocess.run(command, shell=True, cwd=ROOT, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (1, b"error: stdout is closed: nothing can be printed\n")


@pytest.mark.parametrize("stderr", ["2>/dev/full", "2> >(true)", "2>&-"])
@pytest.mark.parametrize(("name", "code"), [("demo", 0), ("nothing", 1)])
def test_a_stderr_that_takes_nothing_changes_no_exit_code(store: Store, stderr: str, name: str, code: int) -> None:
    command = f"{sys.executable} -m benchmark --runs {store.root} table {name} {stderr}"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, stdout=subprocess.PIPE)
    assert (done.returncode, b"hIoU" in done.stdout) == (code, code == 0)


def test_files_do_not_take_the_place_of_closed_streams(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = f"""import os; from benchmark.cli.streams import set_up_streams; set_up_streams()
places = [os.readlink(f'/proc/self/fd/{{number}}') for number in range(3)]; print(*places, file=open('{log}', 'w'))"""
    subprocess.run(f'{sys.executable} -c "{code}" <&- >&- 2>&-', shell=True, cwd=ROOT, check=True)
    assert log.read_text().split() == ["/dev/null"] * 3


def test_a_closed_stdout_is_no_error_of_a_command_that_prints_nothing(store: Store, tmp_path: Path) -> None:
    command = f"{sys.executable} -m benchmark --runs {store.root} table demo --out {tmp_path / 'table.txt'} >&- 2>&-"
    assert subprocess.run(command, shell=True, cwd=ROOT).returncode == 0


@pytest.mark.parametrize("width", [20, 100])
def test_a_narrow_terminal_shows_every_column(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    cells = [letter * 9 for letter in "abcdefghijkl"]
    print_columns([""] * len(cells), [cells])
    out = capsys.readouterr().out
    assert [out.count(cell[0]) for cell in cells] == [9] * len(cells)


def test_wide_characters_take_two_columns(capsys: pytest.CaptureFixture[str]) -> None:
    print_columns(["row", "seed"], [["漢字", "1"], ["abcd", "2"]])
    assert capsys.readouterr().out.splitlines() == ["row   seed", "漢字  1", "abcd  2"]


def test_replacement_is_by_plain_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    set_up_streams()
    stream.write("Δ ±1 ─ é")
    stream.flush()
    assert stream.buffer.getvalue() == rb"d +-1 - \xe9"
    assert is_unicode("UTF-8") and is_unicode("utf8") and not is_unicode("latin-1") and not is_unicode(None)


def make_settings(folder: Path, text: bytes) -> Path:
    folder.mkdir()
    (folder / "matplotlibrc").write_bytes(text)
    return folder


@pytest.mark.parametrize(
    ("fmt", "variables"),
    [
        ("svg", {"MPLBACKEND": "module://matplotlib_inline.backend_inline", "MATPLOTLIBRC": "{usetex}", "HOME": None}),
        ("png", {"MPLBACKEND": "no such backend", "MPLCONFIGDIR": "/proc/none", "COLUMNS": "20", "TERM": "dumb"}),
    ],
)
def test_figures_are_the_same_bytes_whatever_the_settings(
    store: Store, tmp_path: Path, fmt: str, variables: dict[str, str | None]
) -> None:
    usetex = make_settings(tmp_path / "usetex", USETEX.encode())
    broken = make_settings(tmp_path / "broken", b"\xff\xfe broken")  # in the working folder
    (broken / "torch.py").write_text("raise RuntimeError('figures of records need no torch')")
    known = {name: value and value.replace("{usetex}", str(usetex)) for name, value in variables.items()}
    arguments = ("plot", "demo", "-f", fmt, "--out", str(tmp_path / "other"))
    run_process(store, *arguments, folder=broken, PYTHONWARNINGS="error", PYTHONHASHSEED="7", **known)
    results = collect_results(read_rows(store, store.read_plan("demo")))
    paths = draw_all(results, store, tmp_path / "here", formats=[fmt])
    assert [path.read_bytes() for path in paths] == [(tmp_path / "other" / path.name).read_bytes() for path in paths]
