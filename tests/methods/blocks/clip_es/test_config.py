"""Config of CLIP-ES with embeddings from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmark.planning.resolve import resolve
from tests.methods.blocks.class_embeddings.vectors import write_toy_file


def test_a_file_without_the_background_words_is_refused_unless_they_are_left_out(tmp_path: Path) -> None:
    embeddings: dict[str, Any] = {"class_embeddings": {"kind": "file", "file": write_toy_file(tmp_path)}}
    with pytest.raises(KeyError, match=r"lacks the background word 'ground'.*background=\[\]"):
        resolve("clip_es", split="toybox", seed=0, overrides=embeddings)
    assert resolve("clip_es", split="toybox", seed=0, overrides={**embeddings, "background": []}).method == "clip_es"
