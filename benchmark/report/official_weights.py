"""Rows that start from a published checkpoint: which one, and what is not known of it."""

from __future__ import annotations

from benchmark.core.run_spec import RunSpec
from benchmark.report.result_row import ResultRow

DIGEST_LENGTH = 8
"""Characters of a digest that a note shows."""
TRAINED_ELSEWHERE = "trained elsewhere"
"""Training of a published checkpoint that is scored as it is."""


def describe_weights(row: ResultRow) -> list[str]:
    """Return one text per published checkpoint of the row's runs; none for runs without one."""
    specs = [record.spec for record in row.records if record.spec.weights is not None]
    return list(dict.fromkeys(_describe(spec) for spec in specs))


def _describe(spec: RunSpec) -> str:
    weights = spec.weights
    assert weights is not None
    use = "scored as published" if spec.is_published_result else "then trained further here"
    return (
        f"weights: {weights.name} (SHA-256 {weights.sha256[:DIGEST_LENGTH]}, {weights.num_tensors} tensors), "
        f"{TRAINED_ELSEWHERE}, {use}: its training data and classes are not known to this benchmark, so masks of "
        "unseen classes may have been among them"
    )
