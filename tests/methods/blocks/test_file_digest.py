"""A file that a config names is part of a run by its content."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from methods.blocks.bodies.body import BodyConfig
from methods.blocks.clip.config import ClipConfig
from methods.blocks.file_digest import file_digest


@pytest.mark.parametrize("kind", [ClipConfig, BodyConfig])
def test_the_content_of_a_file_is_in_the_config_and_in_its_text(
    tmp_path: Path, kind: type[ClipConfig] | type[BodyConfig]
) -> None:
    file = tmp_path / "weights.pt"
    file.write_bytes(b"one")
    planned = kind(weights=str(file))
    assert planned.sha256 == "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"  # sha256sum of "one"
    assert kind.model_validate(planned.model_dump()) == planned
    file.write_bytes(b"other")
    with pytest.raises(ValidationError, match="another content than when this run was planned"):
        kind.model_validate(planned.model_dump())


def test_what_names_no_file_has_no_digest() -> None:
    assert ClipConfig().sha256 == ClipConfig(weights="random").sha256 == BodyConfig(weights=None).sha256 == ""


def test_a_file_is_read_again_once_its_time_changes(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"one")
    first = file_digest(file)
    file.write_bytes(b"two")
    os.utime(file, ns=(1, 1))
    assert file_digest(file) != first
