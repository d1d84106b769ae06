"""What decides the pace of a row: everything of a run but its length, its seed, and the content of weights and data."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from benchmark.core.run_spec import RunSpec
from benchmark.core.split import Split, load_split
from benchmark.data.catalog import open_dataset
from benchmark.utils.frozen_model import format_canonical_json

WEIGHT_FIELDS = frozenset({"weights", "sha256"})
"""Fields of configs that say which weights are loaded; another content does not change the pace."""


def make_pace_key(spec: RunSpec) -> str:
    """Return the digest of what decides the pace of a run, in 16 hex digits.

    Splits of one dataset with as many classes share a pace, and so do data of different sizes.
    """
    split, budget = load_known_split(spec.split_source or spec.split), spec.budget
    parts = {
        "method": [spec.method, spec.source_digest],
        "config": _drop_weights(spec.config_identity),
        "dataset": split.dataset,
        "classes": [len(split.seen), len(split.classes)],
        "protocol": spec.protocol.model_dump(mode="json", include={"setting", "train", "test", "antialias"}),
        "engine": spec.engine,
        "precision": budget.precision,
        "pass": budget.batch_size // budget.micro_batches,
        "is_trained": budget.iterations > 0,
    }
    return hashlib.sha256(format_canonical_json(parts).encode()).hexdigest()[:16]


@lru_cache(maxsize=1024)
def load_known_split(name: str) -> Split:
    """Load a split once per process."""
    return load_split(name)


@lru_cache(maxsize=1024)
def count_eval_images(name: str) -> int:
    """Return the number of evaluation images of a split; without the data, the number that the split expects.

    Raises:
        FileNotFoundError: The data are missing, and the split does not say how many images there are.
    """
    split = load_known_split(name)
    return split.images.get(split.evaluate) or open_dataset(split.dataset).size(split.evaluate)


def _drop_weights(value: Any) -> Any:
    """Return a config as JSON without the fields that say which weights are loaded."""
    if isinstance(value, Mapping):
        return {key: _drop_weights(item) for key, item in value.items() if key not in WEIGHT_FIELDS}
    return [_drop_weights(item) for item in value] if isinstance(value, list) else value
