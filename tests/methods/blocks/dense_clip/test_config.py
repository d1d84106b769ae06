"""Configs of the dense CLIP family refuse what cannot be computed when a run is planned."""

from __future__ import annotations

from typing import Any

import pytest

from benchmark.planning.resolve import resolve


@pytest.mark.parametrize(
    ("method", "overrides", "message"),
    [
        ("resclip", {"dense.blocks": [0, 0]}, "dense.blocks names block 0 twice"),
        ("resclip", {"dense.blocks": [7]}, "dense.blocks names block 7, expected 0 to 1"),
        ("resclip", {"dense.fallback": 32}, "dense.fallback is 32, expected an index of the 32 classes"),
        ("sc_clip", {"dense.threshold": 2}, "dense.threshold=2: expected a number of at most 1"),
        ("naclip", {"dense.sigma": 1e300}, "dense.sigma=1e.300: expected a number of at most 10000"),
        (
            "naclip/refined by color",
            {"refinement.dilations": [8, -16]},
            "dilations.1=-16: expected a number",
        ),
    ],
)
def test_settings_without_a_result_are_refused(method: str, overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        resolve(method, split="toybox", seed=0, overrides=overrides)


def test_the_last_class_is_a_fallback() -> None:
    config = resolve("resclip", split="toybox", seed=0, overrides={"dense.fallback": 31}).config
    assert config["dense"]["fallback"] == 31
