"""Note on rows of external methods that were never tested with the code that ran, or that break rules."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.report.result_row import ResultRow


def describe_contracts(rows: Sequence[ResultRow]) -> list[str]:
    """Return one note that names such rows; none if there are none."""
    labels: dict[str, list[str]] = {}
    for row in rows:
        for text in dict.fromkeys(run.contract for run in row.done if run.contract):
            labels.setdefault(text, []).append(row.label)
    parts = [f"{', '.join(some)}: {text}" for text, some in labels.items()]
    return [f"Contract and leak tests (chimera-bench test): {'; '.join(parts)}."] if parts else []
