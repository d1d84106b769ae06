"""Weight files that people give us: read safely, or refused with the reason in one line."""

from __future__ import annotations

import argparse
import os
import pickle
import warnings
from collections import Counter, OrderedDict, defaultdict, deque
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from benchmark.core.weight_files import compare_shapes, load_tensors, read_tensors, read_weight_file

STATE = {"a": torch.arange(3.0), "b.weight": torch.ones(2, 2)}


class Settings:
    """A class of the author's own training code."""

    def __init__(self) -> None:
        self.rate = np.float64(0.1)


class Node(dict[str, Any]):
    """A table of the author's own, as configs often are."""


class Bomb:
    """An object that runs a program when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, ("touch went_off",))


def with_prefix(prefix: str) -> dict[str, torch.Tensor]:
    return {prefix + name: value for name, value in STATE.items()}


CONTENTS: dict[str, Any] = {
    "state dict": STATE,
    "ordered": OrderedDict(STATE),
    "under state_dict": {"state_dict": STATE, "epoch": 3},
    "under model": {"model": STATE, "optimizer": {"lr": 1.0}},
    "nested": {"model": {"state_dict": STATE}},
    "numpy scalar": {"model": STATE, "best": np.float64(3.5), "history": np.arange(3)},
    "namespace": {"model": STATE, "args": argparse.Namespace(lr=1e-3, folder=Path("x"), counts=Counter("ab"))},
    "own class": {"model": STATE, "settings": Settings()},
    "own table": {"config": Node(rate=1, inner=Node()), "history": defaultdict(list, a=[1]), "model": STATE},
    "own list": {"model": STATE, "last": deque([1, 2]), "steps": range(3), "none": type(None), "ids": frozenset([1])},
    "tensors beside it": {"rng_state": torch.get_rng_state(), "best": torch.tensor(0.5), "model": STATE},
    "data parallel": {"state_dict": with_prefix("module.")},
    "compiled in Lightning": {"state_dict": with_prefix("model._orig_mod.")},
    "half": {name: value.half() for name, value in STATE.items()},
}


def assert_is_state(file: Path) -> None:
    tensors = read_tensors(file)
    assert tensors.keys() == STATE.keys() and all(torch.equal(tensors[name].float(), STATE[name]) for name in STATE)


@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize("content", CONTENTS)
def test_a_checkpoint_of_any_training_code_is_read(content: str, is_zip: bool, tmp_path: Path) -> None:
    torch.save(CONTENTS[content], tmp_path / "a.pt", _use_new_zipfile_serialization=is_zip)
    assert_is_state(tmp_path / "a.pt")


def test_the_content_and_not_the_suffix_decides(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "a.pt")
    torch.save(STATE, tmp_path / "b.safetensors")
    assert_is_state(tmp_path / "a.pt")
    assert_is_state(tmp_path / "b.safetensors")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"\n <!DOCTYPE html><html>", "it is a web page: download the file itself"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "it is a pointer of Git LFS"),
        (b"/annex/objects/SHA256E-s1", "it is a pointer of git-annex"),
        (b'{"error": "not found"}', "is truncated or no checkpoint"),
        (b"\x00" * 300, "is truncated or no checkpoint"),
        (pickle.dumps(Bomb(), protocol=2), "runs the function posix.system when it is read, so it is refused"),
        (pickle.dumps([eval], protocol=2), r"runs the function builtins\.eval when it is read, so it is refused"),
        (pickle.dumps({"model": Bomb()}, protocol=4), r"is truncated or no checkpoint \(it holds no pickled tensors\)"),
        (b"hello world", r"is truncated or no checkpoint \((it holds no pickled tensors|.* deserializing header)"),
    ],
)
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_what_is_no_checkpoint_is_refused_in_one_line(
    suffix: str, content: bytes, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / f"a{suffix}"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught, warnings.catch_warnings():
        warnings.simplefilter("error")  # they would be further lines
        read_tensors(file)
    assert str(caught.value).startswith(f"cannot load weights: {file}") and "\n" not in str(caught.value)
    assert not Path("went_off").exists()


def test_a_large_file_with_many_types_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(CONTENTS["numpy scalar"] | CONTENTS["namespace"], tmp_path / "a.pt")
    load = Mock(wraps=torch.load)
    monkeypatch.setattr(torch, "load", load)
    assert_is_state(tmp_path / "a.pt")
    assert load.call_count == 1


def test_a_table_that_contains_itself_holds_no_tensors(tmp_path: Path) -> None:
    content: dict[str, Any] = {}
    content["model"] = content
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(ValueError, match="holds a table of model, expected tensors by name"):
        read_tensors(tmp_path / "a.pt")


@pytest.mark.parametrize(
    ("meta", "model"),
    [
        ({"config": "norm_cfg = dict(type='SyncBN')\nmodel = dict(\n    type='OTSeg',\n"}, "OTSeg"),
        ({"cfg": "model = dict(type='OTSeg')"}, "OTSeg"),
        ({"config": "data = dict(\n    model=dict(type='A'))"}, ""),
        ({"config": None}, ""),
        ([], ""),
    ],
)
def test_a_checkpoint_of_mmseg_says_its_model(meta: object, model: str, tmp_path: Path) -> None:
    torch.save({"meta": meta, "state_dict": STATE}, tmp_path / "a.pt")
    assert read_weight_file(tmp_path / "a.pt").model == model


@pytest.mark.parametrize("size", [100, 400, -60])
@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_a_truncated_file_is_refused_in_one_line(kind: str, size: int, tmp_path: Path) -> None:
    file = tmp_path / "a.pt"
    if kind == "safetensors":
        save_file({"a": torch.ones(1000)}, file)
    else:
        torch.save({"a": torch.ones(1000)}, file, _use_new_zipfile_serialization=kind == "zip")
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(ValueError, match="is truncated or no checkpoint") as caught:
        read_tensors(file)
    assert "\n" not in str(caught.value) and "miniz" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (nn.Linear(1, 1), "holds a whole object, expected tensors by name: save its tensors instead"),
        (
            {"student": STATE, "teacher": STATE},
            "holds a table of student, teacher, expected tensors by name: give a file of",
        ),
        ([1, 2], "holds a list, expected tensors by name"),
        (torch.ones(2), "holds a single tensor without a name, expected tensors by name"),
        ({}, "holds an empty table, expected tensors by name"),
        ({f"key{number}": 1 for number in range(9)}, "key7 and 1 more, expected tensors by name"),
    ],
)
def test_a_file_without_named_tensors_says_what_it_holds(content: object, message: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(ValueError, match=message):
        read_tensors(tmp_path / "a.pt")


def test_a_module_in_the_old_format_is_refused_with_what_to_do(tmp_path: Path) -> None:
    torch.save({"model": nn.Linear(1, 1)}, tmp_path / "a.pt", _use_new_zipfile_serialization=False)
    with pytest.raises(ValueError, match=r"a.pt is a pickle of modules, .*: save its tensors instead"):
        read_tensors(tmp_path / "a.pt")


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no such file"):
        read_tensors(tmp_path / "a.pt")
    with pytest.raises(ValueError, match="this is a folder"):
        read_tensors(tmp_path)


def test_half_precision_is_converted_when_loaded() -> None:
    model = nn.Linear(2, 1)
    load_tensors(model, {"weight": torch.ones(1, 2).half(), "bias": torch.ones(1).half()}, description="it")
    assert model.weight.dtype == torch.float32 and model.weight.sum() == 2


def test_numbers_whose_sum_is_too_large_are_finite_and_opposite_infinities_are_not() -> None:
    layer, large = nn.Linear(2, 1), torch.full((1, 2), 3e38)
    load_tensors(layer, {"weight": large, "bias": torch.zeros(1)}, description="file and layer")
    assert torch.equal(layer.weight, large)
    infinite = torch.tensor([[torch.inf, -torch.inf]])
    with pytest.raises(ValueError, match="weight is not finite"):
        load_tensors(layer, {"weight": infinite, "bias": torch.zeros(1)}, description="file and layer")


def test_shapes_are_compared_by_name() -> None:
    assert compare_shapes({"a": (1,)}, {"a": (1,)}) == ""
    assert "a of the file is (1,), the model's (2,)" in compare_shapes({"a": (1,)}, {"a": (2,)})
    assert "1 of 1 tensors are missing (first a), 1 of 1 tensors are unknown" in compare_shapes({"b": ()}, {"a": ()})
