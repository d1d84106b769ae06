"""Obstacles between results of ours and published numbers: the one rule of tables, figures and reports."""

from __future__ import annotations

from benchmark.core.split import load_split
from benchmark.published.published_row import PublishedRow
from benchmark.report.result_row import ResultRow


def find_published_obstacle(row: ResultRow, published: PublishedRow) -> str:
    """Return why results of ours and published numbers on a split of the same name do not meet; empty if they do.

    They meet if ours were scored on all images, on the split that the published numbers mean, with no obstacle such as
    another vocabulary at test.

    Args:
        row: Results; nothing is known of one without finished runs, so that it has no obstacle.
        published: Published numbers.
    """
    for spec in (record.spec for record in row.records):
        if spec.max_images:
            return f"ours are scored on the first {spec.max_images} images alone"
        if not _is_our_split(spec.split, spec.split_digest):
            return f"our runs are on another split called {spec.split!r}, or on an older version of it"
    obstacle = row.traits.find_obstacle(published.traits)
    return f"{obstacle} (ours, published)" if obstacle else ""


def _is_our_split(name: str, digest: str) -> bool:
    """Return whether a split is the included one of its name, which published numbers are noted for."""
    try:
        return load_split(name).digest() == digest
    except (KeyError, ValueError):
        return False
