"""A checkpoint is complete and of this run, or it is refused in one line."""

from __future__ import annotations

import errno
import os
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from benchmark.core.trainable_state import get_trainable_state
from benchmark.engine.checkpoint import Checkpoint, read_checkpoint
from benchmark.planning.resolve import build
from tests.engine.runs import fit, small_spec
from tests.engine.small_method import Small


def save_checkpoint(path: Path) -> Path:
    Checkpoint(path, run="run").save(build(small_spec()), None, iteration=4)
    return path


def test_it_holds_what_training_changes_and_nothing_frozen() -> None:
    names = get_trainable_state(build(small_spec())).keys()
    assert {"rows", "mean", "memory", "body.0.weight", "body.1.weight", "body.1.running_mean"} <= names
    assert not [name for name in names if name.startswith("color_map")]


def test_a_method_within_a_method_keeps_its_own_buffers() -> None:
    inner = build(small_spec()).requires_grad_(False)
    outer = Small(width=2, drop=nn.Identity(), classes=["a"])
    outer.body = nn.Sequential(inner)
    assert {"body.0.mean", "body.0.memory"} <= get_trainable_state(outer).keys()
    assert "body.0.rows" not in get_trainable_state(outer)


def test_a_memory_without_parameters_is_kept_and_one_of_a_frozen_part_is_not() -> None:
    method = build(small_spec())
    memory = nn.Module()
    memory.register_buffer("queue", torch.zeros(2))
    method.add_module("bank", memory)
    method.get_submodule("color_map").add_module("bank", memory)
    assert [name for name in get_trainable_state(method) if "queue" in name] == ["bank.queue"]


@pytest.mark.parametrize("file_format", ["chimera-bench checkpoint 1", "chimera-bench checkpoint 0"])
def test_a_file_of_an_older_version_is_refused_in_one_line(tmp_path: Path, file_format: str) -> None:
    path = save_checkpoint(tmp_path / "checkpoint.pt")
    torch.save(read_checkpoint(path) | {"format": file_format}, path)
    with pytest.raises(ValueError, match="was written by an older version of chimera-bench") as caught:
        fit(small_spec(), path)
    assert file_format in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no zip file at all", b"PK\x03\x04"])
def test_a_foreign_file_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(content)
    with pytest.raises(ValueError, match=r"checkpoint .*checkpoint.pt is broken \(.*\); move it away") as caught:
        fit(small_spec(), tmp_path / "checkpoint.pt")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.3, 0.9, 0.99])
def test_a_truncated_file_is_refused(tmp_path: Path, share: float) -> None:
    path = save_checkpoint(tmp_path / "checkpoint.pt")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ValueError, match="is broken"):
        read_checkpoint(path)


def test_one_flipped_bit_is_detected(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path / "checkpoint.pt")
    with zipfile.ZipFile(path) as file:
        largest_entry = max((file.read(name) for name in file.namelist() if "/data/" in name), key=len)
    content = bytearray(path.read_bytes())
    content[content.index(largest_entry) + 1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"is broken \(.*/data/\d+ is damaged\)"):
        read_checkpoint(path)


def test_tensors_of_another_program_are_refused(tmp_path: Path) -> None:
    torch.save({"state": {}}, tmp_path / "checkpoint.pt")
    with pytest.raises(ValueError, match="expected the format"):
        read_checkpoint(tmp_path / "checkpoint.pt")


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path / "checkpoint.pt")
    with pytest.raises(ValueError, match="belongs to another run"):
        Checkpoint(path, run="another run").load(build(small_spec()), None)


def test_a_checkpoint_with_other_shapes_is_refused(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path / "checkpoint.pt")
    with pytest.raises(ValueError, match="does not fit the method: "):
        Checkpoint(path, run="run").load(build(small_spec(width=9)), None)


def test_a_parameter_that_was_made_in_training_is_named_with_what_to_do(tmp_path: Path) -> None:
    grown = build(small_spec())
    grown.extra = nn.Parameter(torch.zeros(()))
    path = tmp_path / "checkpoint.pt"
    Checkpoint(path, run="run").save(grown, None, iteration=1)
    with pytest.raises(ValueError, match=r"'extra' is in the checkpoint only\. A method that creates parameters"):
        Checkpoint(path, run="run").load(build(small_spec()), None)


def test_a_full_disk_leaves_the_previous_file_intact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_checkpoint(tmp_path / "checkpoint.pt")

    def fail(content: object, file: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OSError, match="No space left on device; its old content is intact"):
        Checkpoint(path, run="run").save(build(small_spec()), None, iteration=5)
    assert read_checkpoint(path)["iteration"] == 4


def test_training_time_adds_up_over_attempts(tmp_path: Path) -> None:
    path, method = tmp_path / "checkpoint.pt", build(small_spec())
    Checkpoint(path, run="run").save(method, None, iteration=1)
    resumed = Checkpoint(path, run="run")
    resumed.load(method, None)
    assert resumed.seconds >= resumed.earlier_seconds == read_checkpoint(path)["seconds"] > 0


def continue_under(path: Path, *arithmetics: str) -> tuple[str, ...]:
    """Continue a checkpoint under one arithmetic after another and return what the last attempt continued from."""
    method = build(small_spec())
    continued_from: tuple[str, ...] = ()
    for iteration, arithmetic in enumerate(arithmetics):
        file = Checkpoint(path, run="run", arithmetic=arithmetic)
        file.load(method, None)
        file.save(method, None, iteration=iteration)
        continued_from = file.continued_from
    return continued_from


def test_a_checkpoint_of_the_same_arithmetic_is_continued_without_a_note(tmp_path: Path) -> None:
    assert continue_under(tmp_path / "checkpoint.pt", "AVX2", "AVX2", "AVX2") == ()


def test_a_checkpoint_names_every_earlier_arithmetic_once(tmp_path: Path) -> None:
    assert continue_under(tmp_path / "one.pt", "AVX2", "AVX512") == ("AVX2",)
    assert continue_under(tmp_path / "two.pt", "AVX2", "AVX512", "AVX2") == ("AVX2", "AVX512")
    assert continue_under(tmp_path / "three.pt", "AVX2", "AVX512", "AVX512") == ("AVX2", "AVX512")


def test_elapsed_time_triggers_a_save_only_if_saving_is_cheap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    file = Checkpoint(tmp_path / "checkpoint.pt", run="run")
    now += 31
    assert file.is_due(1)
    file._last_save_s, file._save_cost_s = now, 2.0
    now += 99
    assert not file.is_due(2)
    now += 2
    assert file.is_due(3)


def test_a_disk_that_fills_up_while_torch_writes_is_reported_as_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save(_content: object, _file: object) -> None:
        try:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            raise RuntimeError("unexpected pos 1792 vs 1686")

    monkeypatch.setattr(torch, "save", save)
    with pytest.raises(OSError, match="No space left") as caught:
        Checkpoint(tmp_path / "checkpoint.pt", run="run").save(build(small_spec()), None, iteration=1)
    assert caught.value.errno == errno.ENOSPC
