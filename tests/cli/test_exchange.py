"""Tests of `predict`, `import` and `merge` as commands."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.store.store import Store
from tests.cli.shell import TINY, run_command
from tests.exchange.worlds import write_labels
from tests.report.world import even, save, spec_of

NUM_IMAGES = 6
IMPORT = ("--as", "Again", "--split", "toybox", "--supervision", "seen_masks", "--max-images", str(NUM_IMAGES))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exchange") / "runs"


@pytest.fixture
def run_id(runs: Path, own_process: None, capsys: pytest.CaptureFixture[str]) -> str:
    """Id of a finished run on the first images; made once."""
    if not Store(runs).list_ids():
        words = ("run", TINY, "--split", "toybox", "--seed", "0", "--max-images", str(NUM_IMAGES), "--no-cost")
        assert run_command(capsys, "--runs", str(runs), *words).code == 0
    return next(name for name in Store(runs).list_ids() if not name.startswith("imported"))


@pytest.mark.parametrize("fmt", ["ids", "palette"])
def test_predictions_imported_again_have_the_counts_of_the_run(
    runs: Path, run_id: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], fmt: str
) -> None:
    out = tmp_path / "out"
    result = run_command(capsys, "--runs", str(runs), "predict", run_id, "--out", str(out), "--format", fmt)
    assert result.code == 0 and "identical to those of the run" in result.out
    other = Store(tmp_path / "other")
    assert run_command(capsys, "--runs", str(other.root), "import", str(out), *IMPORT).code == 0
    ours, again = Store(runs).run(run_id).read_counts(), other.run(other.list_ids()[0]).read_counts()
    assert ours.image_ids == again.image_ids
    for name in ("intersection", "prediction", "target", "confusion"):
        assert (getattr(ours, name) != getattr(again, name)).nnz == 0


def test_equal_predictions_give_equal_bytes_at_the_size_of_the_image(
    runs: Path, run_id: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--images", "000002,000001", "--overlays", "--errors")
    for name in ("a", "b"):
        assert (
            run_command(capsys, "--runs", str(runs), "predict", run_id, "--out", str(tmp_path / name), *options).code
            == 0
        )
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.*"))
    assert len(files) == 7 and all(
        (tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files
    )
    with Image.open(tmp_path / "a" / "labels" / "000001.png") as image:
        assert image.size == (64, 64) and image.mode == "L"
    described = json.loads((tmp_path / "a" / "labels" / "classes.json").read_text())
    assert described["images"] == ["000002", "000001"] and described["run"] == run_id
    assert described["classes"]["4"] == "wood floor" and described["split"] == "toybox"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--images", "000001,nowhere"), "no image 'nowhere'"),
        (("--images", "first 0"), "the first 0 images are none"),
        (("--format", "idss"), "no format 'idss'; did you mean 'ids'"),
    ],
)
def test_what_cannot_be_predicted_is_said_in_a_line(
    runs: Path, run_id: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], message: str
) -> None:
    result = run_command(capsys, "--runs", str(runs), "predict", run_id, "--out", str(tmp_path / "o"), *options)
    assert result.code == 1 and message in result.err and result.err.count("\n") == 1


def test_a_folder_with_other_files_is_not_written_to(
    runs: Path, run_id: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_labels(tmp_path / "labels", {"mine": np.zeros((2, 2), dtype=np.uint8)})
    result = run_command(capsys, "--runs", str(runs), "predict", run_id, "--out", str(tmp_path), "--images", "first 1")
    assert result.code == 1 and "holds other files: give another folder with --out" in result.err


def test_imported_runs_do_not_predict_and_are_counted_again_by_verify(
    runs: Path, run_id: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, store = tmp_path / "out", ("--runs", str(tmp_path / "other"))
    run_command(capsys, "--runs", str(runs), "predict", run_id, "--out", str(out))
    run_command(capsys, *store, "import", str(out), *IMPORT)
    predicted = run_command(capsys, *store, "predict", "imported", "--out", str(tmp_path / "x"))
    assert predicted.code == 1 and "was imported, so there is no method to predict" in predicted.err
    verified = run_command(capsys, *store, "verify", "imported")
    assert verified.code == 0 and "imported predictions cannot be run again" in verified.out


def test_merge_reports_each_kind_and_ends_with_the_code_for_different(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs = Store(tmp_path / "ours"), Store(tmp_path / "theirs")
    for store, seeds, right in ((ours, (0, 1), 80), (theirs, (1, 2), 80)):
        for seed in seeds:
            save(store, spec_of(seed=seed), even(right, 60))
    first = run_command(capsys, "--runs", str(ours.root), "merge", str(theirs.root))
    assert first.code == 0 and "1 new · 1 identical" in first.out
    save(theirs, spec_of(seed=0), even(70, 60))
    second = run_command(capsys, "--runs", str(ours.root), "merge", str(theirs.root), "--json")
    assert second.code == 4 and [run["fate"] for run in json.loads(second.out)[0]["runs"]].count("different") == 1
