"""`data check` and `--data` on the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.data.catalog import open_dataset
from benchmark.data.folders.dataset_spec import DatasetSpec
from tests.cli.shell import CommandResult, run_command
from tests.data.trees import VOC_MMSEG, with_image_counts, write

ADVICE = "Get it: VOCtrainval_11-May-2012.tar"


@pytest.fixture(autouse=True)
def clean_environment(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set no data folder and start with an empty cache."""
    monkeypatch.setenv("CHIMERA_BENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("CHIMERA_BENCH_DATA", "")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> DatasetSpec:
    """Return a description of VOC with as few images as the generated tree has."""
    spec = with_image_counts("voc12", train=1, train_aug=2, val=1)
    monkeypatch.setattr("benchmark.data.folders.dataset_spec.load_dataset_spec", lambda name: spec)
    return spec


def run_check(capsys: pytest.CaptureFixture[str], folder: Path, *options: str) -> CommandResult:
    return run_command(capsys, "data", "check", "voc12", "--root", str(folder), *options)


@pytest.mark.usefixtures("small")
def test_a_complete_dataset_passes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = run_check(capsys, VOC_MMSEG.create(tmp_path))
    assert code == 0 and out.endswith("complete and readable\n")
    assert out.startswith(f"PASCAL VOC 2012: layout mmseg in {tmp_path}/VOCdevkit/VOC2012\n  train: 1 images, fingerp")
    assert (
        "split voc12 (protocol zegclip): 2 training images (train_aug), 2 contain an unseen class, 2 contain only"
        in out
    )


@pytest.mark.usefixtures("small")
def test_the_second_check_reads_no_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "6 files read in" in run_check(capsys, VOC_MMSEG.create(tmp_path)).out
    assert "no file read: all 4 images are in the cache" in run_check(capsys, tmp_path).out


def test_missing_images_are_reported_with_their_source(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = run_check(capsys, VOC_MMSEG.create(tmp_path))
    assert code == 1 and "  val: 1 of 1449 images, fingerprint " in out and ADVICE in out
    assert "3 problems:" in out and "incomplete: subset 'train_aug' has 2 images, expected 10582" in out


@pytest.mark.usefixtures("small")
def test_the_first_problems_are_shown_and_the_rest_counted(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    names = [f"2007_{number}" for number in range(10, 35)]
    write(VOC_MMSEG.create(tmp_path) / "VOCdevkit/VOC2012/ImageSets/Segmentation/aug.txt", "\n".join(names).encode())
    write(tmp_path / "VOCdevkit/VOC2012/SegmentationClassAug/2007_10.png", b"")
    code, out, _ = run_check(capsys, tmp_path)
    lines = out.splitlines()
    at = next(number for number, line in enumerate(lines) if line == "51 problems:")  # too many, and two files each
    assert code == 1 and "26 images, 25 broken" in out
    assert lines[at + 1].startswith("  too many: ") and "2007_10.jpg is missing" in lines[at + 2]
    assert lines[at + 21] == "  and 31 more; --json lists all"


@pytest.mark.usefixtures("small")
def test_json_holds_every_problem(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for image, mask in VOC_MMSEG.files:
        write(VOC_MMSEG.create(tmp_path) / image, b"")
        write(tmp_path / mask, b"")
    code, out, _ = run_check(capsys, tmp_path, "--json")
    report = json.loads(out)
    assert code == 1 and report["dataset"] == "voc12" and not report["complete"] and report["layout"] == "mmseg"
    paths = {problem["path"] for problem in report["problems"]}
    assert len(paths) == 2 and all("is empty" in problem["text"] for problem in report["problems"])


def test_a_missing_dataset_lists_the_layouts_that_were_searched(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, out, _ = run_check(capsys, tmp_path)
    assert code == 1 and "not found. Searched for these layouts:" in out and ADVICE in out
    assert f"  mmseg: no folder VOCdevkit/VOC2012 or VOC2012 in {tmp_path}; {tmp_path} lacks ImageSets/" in out
    report = json.loads(run_check(capsys, tmp_path, "--json").out)
    assert report["layout"] is None and not report["complete"] and len(report["searched"]) == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("data", "check", "voc12"), "voc12 needs a data folder: give --root DIR"),
        (("data", "check", "toybox"), "toybox is generated on demand: it has no files to check"),
        (("data", "check", "coco_stuff"), "did you mean 'coco_stuff164k'"),
        (("data", "check", "voc12", "--root", ".", "--subset", "vall"), "did you mean 'val'"),
        (("data", "check", "voc12", "--root", ".", "--layout", "mmsegg"), "did you mean 'mmseg'"),
    ],
)
def test_an_impossible_check_is_one_line(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    code, out, err = run_command(capsys, *arguments)
    assert (code, out) == (1, "") and message in err and err.count("\n") == 1


@pytest.mark.usefixtures("small")
def test_a_check_can_be_limited_to_one_subset_and_one_layout(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    VOC_MMSEG.create(tmp_path)
    assert run_check(capsys, tmp_path, "--subset", "val", "--full").out.count("fingerprint") == 1
    assert "layout trainaug in" in run_check(capsys, tmp_path, "--layout", "trainaug").out


@pytest.mark.parametrize("source", ["option", "environment"])
def test_datasets_are_searched_in_every_data_folder(
    source: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    VOC_MMSEG.create(tmp_path / "b")
    folders = os.pathsep.join([str(tmp_path / "a"), str(tmp_path / "b")])
    if source == "environment":
        monkeypatch.setenv("CHIMERA_BENCH_DATA", folders)
    options = ("--data", folders) if source == "option" else ()
    assert (
        f"layout mmseg in {tmp_path}/b/VOCdevkit/VOC2012" in run_command(capsys, *options, "data", "check", "voc12").out
    )


def test_processes_started_later_inherit_the_data_folder(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    VOC_MMSEG.create(tmp_path)
    monkeypatch.chdir(tmp_path)
    run_command(capsys, "--data", "VOCdevkit", "list", "--json")
    assert os.environ["CHIMERA_BENCH_DATA"] == str(tmp_path / "VOCdevkit")
    assert open_dataset("voc12").size("val") == 1


def test_checking_does_not_import_torch() -> None:
    heavy = "{'torch', 'torchvision', 'pandas'}"
    code = f"import sys; from benchmark.data.folders import check; print({heavy} & set(sys.modules))"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
