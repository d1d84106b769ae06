"""Digests of files that configs name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from benchmark.utils.input_files import hash_file
from methods.blocks.bodies import SmpBodyConfig
from methods.blocks.clip import ClipConfig


@pytest.mark.parametrize("kind", [ClipConfig, SmpBodyConfig])
def test_the_digest_of_a_file_is_in_the_config_and_in_its_json(
    tmp_path: Path, kind: type[ClipConfig] | type[SmpBodyConfig]
) -> None:
    file = tmp_path / "weights.pt"
    file.write_bytes(b"one")
    planned = kind(weights=str(file))
    assert planned.sha256 == "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"  # sha256sum of "one"
    assert kind.model_validate(planned.model_dump()) == planned
    file.write_bytes(b"other")
    with pytest.raises(ValidationError, match="has changed since this run was planned"):
        kind.model_validate(planned.model_dump())


def test_a_config_that_names_no_file_has_no_digest() -> None:
    assert ClipConfig().sha256 == ClipConfig(weights="random").sha256 == SmpBodyConfig(weights=None).sha256 == ""


def test_a_file_is_read_again_after_its_time_has_changed(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"one")
    first = hash_file(file)
    file.write_bytes(b"two")
    os.utime(file, ns=(1, 1))
    assert hash_file(file) != first
