"""Published checkpoints in a method: all of it is loaded, or nothing is and one line says why."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmark.core.method import Method
from benchmark.core.official_weights import load_official_weights
from benchmark.planning.method_setup import resolve_method
from benchmark.planning.registry import load_recipe
from benchmark.utils.input_files import collect_inputs, hash_file
from tests.engine.published import build_published, rename_to_official, save_official
from tests.engine.runs import METHOD, same_state

Change = Callable[[dict[str, Tensor]], Any]


def build(**overrides: Any) -> Method:
    return resolve_method(METHOD, split="toybox", overrides=overrides).build(seed=0)


def load(file: Path, method: Method, **fields: Any) -> int:
    return load_official_weights(method, file, recipe=replace(load_recipe(METHOD), **fields))


def test_everything_that_training_changes_comes_from_the_file(tmp_path: Path) -> None:
    method, published = build(), build_published()
    before = method.get_parameter("color_map.0.weight").clone()
    num_loaded = load(save_official(tmp_path / "official.pth"), method)
    assert num_loaded == len(rename_to_official(published)) == 10
    own = {name for name in method.state_dict() if name.startswith("color_map")}
    assert all(
        torch.equal(value, published.state_dict()[name])
        for name, value in method.state_dict().items()
        if name not in own
    )
    assert torch.equal(method.get_parameter("color_map.0.weight"), before)


def test_a_frozen_copy_in_the_file_replaces_ours(tmp_path: Path) -> None:
    published = build_published()

    def convert(official: Mapping[str, Tensor], method: Method) -> dict[str, Tensor]:
        return dict(official)

    torch.save(published.state_dict(), tmp_path / "all.pth")
    method = build()
    load(tmp_path / "all.pth", method, convert_official=convert)
    assert same_state(method, published)
    assert not method.get_parameter("color_map.0.weight").requires_grad


def test_half_precision_is_converted(tmp_path: Path) -> None:
    tensors = {
        name: value.half() if value.is_floating_point() else value
        for name, value in rename_to_official(build_published()).items()
    }
    torch.save(tensors, tmp_path / "half.pth")
    method = build()
    load(tmp_path / "half.pth", method)
    assert method.get_parameter("rows").dtype == torch.float32
    assert torch.equal(method.get_parameter("rows"), tensors["classifier"].float())


def test_the_file_is_an_input_of_the_run(tmp_path: Path) -> None:
    file = save_official(tmp_path / "official.pth")
    with collect_inputs() as inputs:
        load(file, build())
    assert inputs == {str(file): hash_file(file)}


WRONG: dict[str, tuple[Change, str]] = {
    "a part": (
        lambda file: [file.pop(name) for name in list(file) if name.startswith("backbone.1")],
        "it lacks trained tensors, 5 of 10 (body.1.weight, body.1.bias, body.1.running_mean, …): it is another model, "
        "or a part of one",
    ),
    "a buffer is missing": (
        lambda file: file.pop("pixel_mean"),
        "it lacks trained tensors, 1 of 10 (mean): it is another model, or a part of one",
    ),
    "another model": (
        lambda file: file.update({"decoder.weight": torch.zeros(1)}),
        "1 of 11 tensors is unknown (decoder.weight)",
    ),
    "another width": (
        lambda file: file.update({"classifier": torch.zeros(8, 8)}),
        "shapes differ of 1 of 10 (rows), of the first (8, 8) in the file and (32, 6) here: choose the variant and the "
        "config of the file",
    ),
    "another type": (
        lambda file: file.update({"classifier": torch.zeros(32, 6, dtype=torch.int8)}),
        "types differ of 1 of 10 (rows), of the first torch.int8 in the file and torch.float32 here",
    ),
    "not finite": (
        lambda file: file["memory"].fill_(float("nan")),
        "numbers are not finite in 1 of 10 (memory): download it again",
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_file_is_refused_in_one_line_and_changes_nothing(kind: str, tmp_path: Path) -> None:
    change, reason = WRONG[kind]
    file, tensors = tmp_path / "official.pth", rename_to_official(build_published())
    change(tensors)
    torch.save(tensors, file)
    method = build()
    with pytest.raises(ValueError, match=f"^{re.escape(f'{file} cannot be loaded into Small: {reason}')}$"):
        load(file, method)
    assert same_state(method, build())


def test_names_that_a_converter_asks_for_or_invents_are_errors_of_one_line(tmp_path: Path) -> None:
    file = save_official(tmp_path / "official.pth")
    with pytest.raises(ValueError, match=r"cannot be loaded into Small: the file has no tensor 'head'$"):
        load(file, build(), convert_official=lambda official, method: {"rows": official["head"]})
    with pytest.raises(
        ValueError, match=r"the converter gives names that the method does not have, 1 of 1 \(rwos\): c"
    ):
        load(file, build(), convert_official=lambda official, method: {"rwos": official["classifier"]})


def convert_nothing(official: Mapping[str, Tensor], method: Method) -> dict[str, Tensor]:
    return dict(official)


def test_frozen_tensors_of_a_part_are_in_the_file_or_not(tmp_path: Path) -> None:
    tensors = build_published().state_dict()
    del tensors["color_map.0.bias"]
    torch.save(tensors, tmp_path / "a.pth")
    with pytest.raises(ValueError, match=r"it lacks some frozen tensors, 1 of 7 \(color_map.0.bias\): it is a part of"):
        load(tmp_path / "a.pth", build(), convert_official=convert_nothing)


@pytest.mark.parametrize(
    "fail",
    [lambda: torch.cat([torch.zeros(1, 2), torch.zeros(3)]), lambda: len(torch.zeros(())), lambda: torch.zeros(1)[2]],
)
def test_shapes_that_a_converter_does_not_expect_are_errors_of_one_line(
    fail: Callable[[], Any], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"Small: its converter fails \([^\n]+\): it is another model's file$"):
        load(save_official(tmp_path / "a.pth"), build(), convert_official=lambda official, method: fail())


def test_a_file_that_changes_while_it_is_read_is_not_loaded(tmp_path: Path) -> None:
    file, method = save_official(tmp_path / "a.pth"), build()
    sha256 = hash_file(file)

    def replace_file(official: Mapping[str, Tensor], method: Method) -> Mapping[str, Tensor]:
        file.write_bytes(file.read_bytes() + b" ")
        return load_recipe(METHOD).convert_official(official, method)  # type: ignore[misc]

    with pytest.raises(ValueError, match=r"a.pth changed since this run was planned, SHA-256 .*: plan it again$"):
        load_official_weights(
            method, file, recipe=replace(load_recipe(METHOD), convert_official=replace_file), sha256=sha256
        )
    assert same_state(method, build())


@pytest.mark.parametrize(("model", "is_loaded"), [("Small", True), ("Other", False), ("", True)])
def test_a_checkpoint_that_names_another_model_is_refused(model: str, is_loaded: bool, tmp_path: Path) -> None:
    meta = {"config": f"model = dict(\n    type='{model}',\n"} if model else {}
    torch.save({"meta": meta, "state_dict": rename_to_official(build_published())}, tmp_path / "a.pth")
    expected = (
        nullcontext() if is_loaded else pytest.raises(ValueError, match="it is a checkpoint of Other, expected Sm")
    )
    with expected:
        load(tmp_path / "a.pth", build(), official_model="Small")


def test_a_method_without_a_converter_loads_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Small reads no published checkpoints"):
        load(save_official(tmp_path / "official.pth"), build(), convert_official=None)
