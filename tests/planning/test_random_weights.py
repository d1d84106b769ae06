"""Every method can be measured without the files of its weights."""

from __future__ import annotations

from typing import Any

import pytest

from benchmark.core.method import Config
from benchmark.planning.random_weights import use_random_weights
from benchmark.planning.registry import list_methods, load_recipe


def list_weights(part: Any) -> list[str | None]:
    """Return the values of all fields `weights` in a config."""
    if isinstance(part, tuple):
        return [weights for item in part for weights in list_weights(item)]
    if not isinstance(part, Config):
        return []
    own = [part.weights] if "weights" in type(part).model_fields else []  # type: ignore[attr-defined]
    return own + [weights for name in type(part).model_fields for weights in list_weights(getattr(part, name))]


@pytest.mark.parametrize("name", list_methods())
def test_no_variant_with_random_weights_names_a_file(name: str) -> None:
    for config in load_recipe(name).variants.values():
        before, after = list_weights(config), list_weights(use_random_weights(config))
        assert {new for new in after if new not in before} <= {None, "random"}
        assert not set(after) & {"openai", "imagenet", "pretrained"}
        assert [old for old in before if old in ("frozen", "trained")] == [
            new for new in after if new in ("frozen", "trained")
        ]
