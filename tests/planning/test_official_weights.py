"""Published checkpoints in plans: wrong ones are refused before a job waits, and the others identify their runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmark.core.budget import Budget
from benchmark.core.protocol import Protocol
from benchmark.core.run_spec import RunSpec
from benchmark.core.study import load_study
from benchmark.planning.expand import expand
from benchmark.planning.plan_notes import describe_weights
from benchmark.planning.requested_study import Request
from benchmark.planning.resolve import build, resolve
from benchmark.planning.selection import select_runs
from benchmark.store.store import Store
from tests.engine.published import build_published, save_official
from tests.engine.runs import METHOD


def plan(weights: str | Path, method: str = METHOD, **overrides: Any) -> RunSpec:
    dotted = {key.replace("__", "."): value for key, value in ({"budget__iterations": 0} | overrides).items()}
    return resolve(method, split="toybox", seed=0, overrides=dotted, weights=str(weights))


@pytest.fixture
def official(tmp_path: Path) -> Path:
    return save_official(tmp_path / "official.pth")


def test_ids_of_runs_without_weights_are_what_they_were() -> None:
    spec = RunSpec(
        method="m",
        variant="M",
        config={"width": 4},
        split="toybox",
        split_digest="a" * 64,
        protocol=Protocol(),
        dataset_fingerprint="b" * 64,
        seed=0,
        budget=Budget(),
    )
    assert spec.id == "m-m-toybox-s0-8e1e6fb3f662f4cc"


def test_the_content_of_the_file_identifies_a_run_and_not_its_path(official: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere" / "official.pth"
    moved.parent.mkdir()
    moved.write_bytes(official.read_bytes())
    other = save_official(tmp_path / "other.pth", width=6)
    torch.save(torch.load(other, weights_only=True) | {"author": 1}, other)
    assert plan(official).digest() == plan(moved).digest() != plan(other).digest()
    assert plan(official).id == plan(moved).id
    assert plan(official).digest() != resolve(METHOD, split="toybox", seed=0).digest()


def test_a_spec_says_which_file_and_every_label_shows_it(official: Path) -> None:
    spec = plan(official)
    assert spec.weights is not None
    assert (spec.weights.name, spec.weights.num_tensors) == ("official.pth", 11)
    assert spec.label == f"Small [budget.iterations=0, weights={official}]"
    assert spec.id.startswith("small-method-small-budget.iterations=0-weights=official.pth-toybox-s0-")
    assert RunSpec.model_validate_json(spec.model_dump_json()) == spec


def test_the_weights_take_the_place_of_initialization_and_of_random_values(official: Path) -> None:
    spec = plan(official)
    assert (spec.budget.iterations, spec.budget.init_images) == (0, 0)
    assert torch.equal(build(spec).get_parameter("rows"), build_published().get_parameter("rows"))
    with pytest.raises(ValueError, match=r"^budget.init_images=5: the method starts from .* leave one of them out$"):
        plan(official, budget__init_images=5)


def test_weights_may_be_the_start_of_training(official: Path) -> None:
    spec = plan(official, budget__iterations=7)
    assert (spec.budget.iterations, spec.is_published_result) == (7, False)
    assert torch.equal(build(spec).get_parameter("rows"), build_published().get_parameter("rows"))


def test_without_weights_an_untrained_method_is_refused_and_the_option_is_named() -> None:
    with pytest.raises(ValueError, match=r"1 or more, or give a published checkpoint as weights$"):
        resolve(METHOD, split="toybox", seed=0, overrides={"budget.iterations": 0, "budget.init_images": 0})


def test_a_method_that_reads_no_published_checkpoints_is_refused(official: Path) -> None:
    with pytest.raises(
        ValueError, match=r"^--weights .*: SPNet reads no published checkpoints, as .* leave the weight"
    ):
        plan(official, "spnet")


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-2000])


def keep_a_part(file: Path) -> None:
    torch.save({"classifier": torch.zeros(32, 6)}, file)


FAULTS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing": (Path.unlink, "there is no such file: give the path of a weight file"),
    "a web page": (lambda file: file.write_text("<!DOCTYPE html>"), "it is a web page: download the file itself"),
    "a pointer": (
        lambda file: file.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1"),
        "it is a pointer of Git LFS and not the file itself",
    ),
    "empty": (lambda file: file.write_bytes(b""), "the file is empty: download it again"),
    "truncated": (truncate, "is truncated or no checkpoint"),
    "no tensors": (lambda file: torch.save({"iter": 3}, file), "holds a table of iter, expected tensors by name"),
    "a part": (keep_a_part, "cannot be loaded into Small: it lacks trained tensors, 9 of 10 (mean, memory, body.0"),
    "another model": (
        lambda file: torch.save({"encoder.weight": torch.zeros(1)}, file),
        "cannot be loaded into Small: 1 of 1 tensors is unknown (encoder.weight)",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_file_is_refused_in_one_line_when_planned(fault: str, official: Path) -> None:
    spoil, reason = FAULTS[fault]
    spoil(official)
    with pytest.raises(ValueError, match=re.escape(reason)) as error:
        plan(official)
    assert str(official) in str(error.value) and "\n" not in str(error.value)


def test_a_file_of_another_variant_is_refused(official: Path) -> None:
    with pytest.raises(ValueError, match=r"shapes differ of .*: choose the variant and the config of the file$"):
        plan(official, f"{METHOD}/drop 0.5, wide")


def test_a_moved_file_is_found_in_the_current_folder_by_its_content(
    official: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, folder = plan(official), tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    official.rename(folder / "official.pth")
    assert torch.equal(build(spec).get_parameter("rows"), build_published().get_parameter("rows"))
    (folder / "official.pth").unlink()
    with pytest.raises(ValueError, match=r"^no weights .*: go to the folder that holds official.pth now$"):
        build(spec)


def test_a_changed_file_is_not_the_one_of_the_plan(official: Path) -> None:
    spec = plan(official)
    official.write_bytes(b"other")
    with pytest.raises(ValueError, match=r"^weights .* changed since this run was planned, SHA-256 .*: plan it again$"):
        build(spec)


def test_rows_of_a_study_name_files_next_to_it(official: Path, tmp_path: Path) -> None:
    file = tmp_path / "field.yaml"
    row = f"{{method: {METHOD}, weights: official.pth, set: {{budget.iterations: 0}}}}"
    file.write_text(f"title: Field\nsplit: toybox\nseeds: [0, 1]\nrows: [{METHOD}, {row}]\n")
    planned = expand(load_study(str(file)))
    assert [row.label for row in planned.plan.rows] == ["Small", "Small [budget.iterations=0, weights=official.pth]"]
    assert [len(row.ids) for row in planned.plan.rows] == [2, 1]
    assert planned.first_specs[1].weights == plan(official).weights
    (line,) = describe_weights(planned)
    assert line.startswith("small_method starts from official.pth, scored as published: what it was trained on")


def test_a_method_on_the_command_line_takes_weights_and_a_study_does_not(official: Path, tmp_path: Path) -> None:
    notes: list[str] = []
    request = Request(METHOD, weights=str(official))
    selection = select_runs(request, store=Store(tmp_path), notify=notes.append)
    assert selection.specs[0].weights == plan(official).weights
    assert "then trained for 12 iterations (--set budget.iterations=0 scores it as published)" in notes[0]
    with pytest.raises(ValueError, match="--weights is for a method: give rows of demo their own, weights: FILE"):
        select_runs(Request("demo", weights=str(official)), store=Store(tmp_path))


def test_a_saved_plan_with_weights_is_checked_again(official: Path, tmp_path: Path) -> None:
    request = Request(METHOD, weights=str(official), overrides={"budget.iterations": 0}, plan_name="official")
    select_runs(request, store=Store(tmp_path))
    keep_a_part(official)
    with pytest.raises(ValueError, match="it lacks trained tensors"):
        select_runs(request, store=Store(tmp_path))
