"""Published files of all methods through the command line: from the file to the table, and every wrong file refused."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmark.core.run_spec import RunSpec
from benchmark.execution.local_pool import RunOutcome
from benchmark.execution.runner import execute
from benchmark.store.store import Store
from tests.cli.shell import CommandResult, run_command
from tests.methods.official_files import OFFICIAL_FILES, OfficialFile

ZEGCLIP, OTSEG = OFFICIAL_FILES[0], OFFICIAL_FILES[2]


class Shell:
    """Commands on methods with files, in this process.

    Args:
        store: Store of the commands.
        capsys: Fixture of the test.
    """

    def __init__(self, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
        self.store, self._capsys = store, capsys

    def call(self, *arguments: str) -> CommandResult:
        return run_command(self._capsys, *arguments)

    def start(self, command: str, official: OfficialFile, file: Path, *, iterations: int = 0) -> CommandResult:
        """Run a command on a method that starts from a file."""
        budget = ("--set", f"budget.iterations={iterations}", "--set", "budget.batch_size=2")
        return self.call(command, official.method, "--weights", str(file), *official.list_options(), *budget)

    def assert_refused(self, official: OfficialFile, file: Path, reason: str) -> None:
        """Assert that a file is refused with one line, and that nothing is left behind."""
        result = self.start("run", official, file)
        assert result.code == 1 and reason in result.err and str(file) in result.err
        assert len(result.err.splitlines()) == 1 and not self.store.root.exists()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the whole file of every method, and the architectures of their CLIPs."""
    folder = tmp_path_factory.mktemp("files")
    for official in OFFICIAL_FILES:
        official.save_clip(folder)
        official.save(folder / f"{official.method}.pth")
    return folder


@pytest.fixture
def shell(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    def run_all(specs: Sequence[RunSpec], *, store: Store, **_: Any) -> dict[str, RunOutcome]:
        return {spec.id: RunOutcome(execute(spec, store=store, measures_cost=False).state) for spec in specs}

    monkeypatch.setattr("benchmark.execution.local_pool.run_all", run_all)
    monkeypatch.setenv("CHIMERA_BENCH_WEIGHTS", str(folder))
    monkeypatch.setenv("CHIMERA_BENCH_RUNS", str(tmp_path / "runs"))
    return Shell(Store(tmp_path / "runs"), capsys)


@pytest.fixture(params=OFFICIAL_FILES, ids=lambda official: official.method)
def official(request: pytest.FixtureRequest) -> OfficialFile:
    selected: OfficialFile = request.param
    return selected


def test_a_published_file_is_scored_once_wherever_it_is(
    official: OfficialFile, folder: Path, shell: Shell, tmp_path: Path
) -> None:
    file, moved = folder / f"{official.method}.pth", tmp_path / f"{official.method}.pth"
    result = shell.start("run", official, file)
    assert result.code == 0 and "scored as published" in result.err
    moved.write_bytes(file.read_bytes())
    assert "1 done already, skipped" in shell.start("run", official, moved).err
    (run_id,) = shell.store.list_ids()
    record = shell.store.run(run_id).read_record()
    assert record.spec.weights is not None and record.spec.weights.sha256 in record.inputs.values()
    assert f"num_tensors: {len(official.tensors)}\n" in shell.call("show", run_id).out
    assert "Training: trained elsewhere." in shell.call("table", official.method).out
    official.save(moved, **{official.trained: official.tensors[official.trained] + 0.5})
    assert "1 missing" in shell.start("plan", official, moved).out


def test_a_published_file_may_be_the_start_of_training(official: OfficialFile, folder: Path, shell: Shell) -> None:
    assert shell.start("run", official, folder / f"{official.method}.pth", iterations=2).code == 0
    (run_id,) = shell.store.list_ids()
    assert [losses["iteration"] for losses in shell.store.run(run_id).read_losses()] == [0, 1]
    assert "trained elsewhere, then trained further here" in " ".join(shell.call("table", run_id).out.split())


def test_a_file_with_a_wrong_tensor_is_refused(official: OfficialFile, shell: Shell, tmp_path: Path) -> None:
    tensor = official.tensors[official.trained]
    faults: dict[str, dict[str, torch.Tensor | None]] = {
        "lacks trained tensors, 1 of": {official.trained: None},
        "lacks some frozen tensors, 1 of": {official.frozen: None},
        "tensors are unknown (head.extra": {"head.extra": tensor},
    }
    for reason, changes in faults.items():
        shell.assert_refused(official, official.save(tmp_path / "a.pth", **changes), reason)


@pytest.mark.parametrize(
    ("reason", "spoil"),
    [
        ("shapes differ of 1 of", lambda tensor: torch.zeros(*tensor.shape, 2)),
        ("types differ of 1 of", lambda tensor: tensor.to(torch.int8)),
        ("numbers are not finite in 1 of", lambda tensor: tensor / 0),
    ],
)
def test_a_file_with_a_tensor_of_another_kind_is_refused(
    reason: str, spoil: Callable[[torch.Tensor], torch.Tensor], shell: Shell, tmp_path: Path
) -> None:
    tensor = spoil(ZEGCLIP.tensors[ZEGCLIP.trained])
    shell.assert_refused(ZEGCLIP, ZEGCLIP.save(tmp_path / "a.pth", **{ZEGCLIP.trained: tensor}), reason)


def test_the_file_of_another_method_is_refused(official: OfficialFile, folder: Path, shell: Shell) -> None:
    other = OFFICIAL_FILES[OFFICIAL_FILES.index(official) - 1]
    shell.assert_refused(official, folder / f"{other.method}.pth", "a checkpoint of")


@pytest.mark.parametrize(("official", "other"), [(ZEGCLIP, OTSEG), (OTSEG, ZEGCLIP)], ids=["zegclip", "otseg"])
def test_files_of_equal_tensors_are_told_apart_by_their_config(
    official: OfficialFile, other: OfficialFile, folder: Path, shell: Shell
) -> None:
    assert official.tensors.keys() == other.tensors.keys()
    reason = f"it is a checkpoint of {other.model}, expected {official.model}"
    shell.assert_refused(official, folder / f"{other.method}.pth", reason)


class Bomb:
    """An object that runs a program when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, ("touch went_off",))


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-2000])


def make_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


FAULTS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing": (Path.unlink, "there is no such file"),
    "a folder": (make_folder, "this is a folder"),
    "empty": (lambda file: file.write_bytes(b""), "the file is empty"),
    "truncated": (truncate, "is truncated or no checkpoint"),
    "a text": (lambda file: file.write_text("hello"), "is truncated or no checkpoint"),
    "a pickle": (lambda file: file.write_bytes(pickle.dumps({"model": 1})), "is truncated or no checkpoint"),
    "a program": (lambda file: torch.save({"model": {}, "hook": Bomb()}, file), "runs the function posix.system"),
    "an expression": (lambda file: torch.save([eval], file), "runs the function builtins.eval"),
    "settings alone": (lambda file: torch.save({"meta": {}}, file), "holds a table of meta, expected tensors by name"),
    "an object": (lambda file: torch.save(torch.nn.Linear(1, 1), file), "holds a whole object"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_no_published_file_is_refused(
    fault: str, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spoil, reason = FAULTS[fault]
    spoil(file := ZEGCLIP.save(tmp_path / "a.pth"))
    shell.assert_refused(ZEGCLIP, file, reason)
    assert not Path("went_off").exists()


def test_a_file_that_changes_after_planning_fails_its_run(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = ZEGCLIP.save(tmp_path / "a.pth")

    def run_all(specs: Sequence[RunSpec], *, store: Store, **_: Any) -> dict[str, RunOutcome]:
        file.write_bytes(file.read_bytes() + b" ")
        return {spec.id: RunOutcome(execute(spec, store=store).state) for spec in specs}

    monkeypatch.setattr("benchmark.execution.local_pool.run_all", run_all)
    assert shell.start("run", ZEGCLIP, file).code == 3
    (run_id,) = shell.store.list_ids()
    assert f"weights {file} changed since this run was planned" in shell.call("show", run_id).out


def test_rows_of_a_study_start_from_files_beside_it(shell: Shell, folder: Path) -> None:
    settings = "{clip.model: tiny-zegclip, clip.weights: random, encoder.prompts.count: 3, budget.iterations: 0}"
    study = folder / "theirs.yaml"
    row = f"{{method: zegclip, weights: zegclip.pth, set: {settings}}}"
    study.write_text(f"title: Theirs\nsplit: toybox\nseeds: [0]\nmax_images: 2\nrows: [{row}]")
    assert shell.call("run", str(study)).code == 0
    assert "weights: zegclip.pth (SHA-256" in shell.call("table", "theirs").out
