"""Selection of published rows by names as people write them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from benchmark.published.published_row import PublishedRow
from benchmark.utils.did_you_mean import explain_unknown_name


def find_rows(
    rows: Sequence[PublishedRow],
    *,
    method: str | None = None,
    benchmark: str | None = None,
    dataset: str | None = None,
    split: str | None = None,
    setting: str | None = None,
    supervision: str | None = None,
    backbone: str | None = None,
    metric: str | None = None,
    is_verified: bool | None = None,
) -> tuple[PublishedRow, ...]:
    """Return the rows that fit all of the given names, in their order.

    Upper and lower case are the same in names, and so are spaces, hyphens, underscores and commas.

    Args:
        rows: Rows to select from.
        method: Method, by the name in its row or by the one it shares with rows from other sources.
        benchmark: Benchmark of the literature, such as "VOC20".
        dataset: Dataset, by our name or its title.
        split: Split, by our name or the benchmark's.
        setting: Setting of the traits; "" for methods without one.
        supervision: Supervision of the traits; "" for unknown.
        backbone: Backbone of the traits.
        metric: Metric that a row must have a value of.
        is_verified: Whether rows are verified.

    Raises:
        KeyError: No row at all has such a name; the message suggests the nearest.
    """
    wanted_names = {
        "method": method,
        "benchmark": benchmark,
        "dataset": dataset,
        "split": split,
        "setting": setting,
        "supervision": supervision,
        "backbone": backbone,
        "metric": metric,
    }
    kept = [is_verified is None or row.is_verified == is_verified for row in rows]
    for kind, wanted in wanted_names.items():
        if wanted is not None:
            fits = _find_fits(kind, wanted, [_NAMES[kind](row) for row in rows])
            kept = [is_kept and is_fit for is_kept, is_fit in zip(kept, fits, strict=True)]
    return tuple(row for row, is_kept in zip(rows, kept, strict=True) if is_kept)


_NAMES: dict[str, Callable[[PublishedRow], tuple[str, ...]]] = {
    "method": lambda row: (row.method, row.system),
    "benchmark": lambda row: (row.benchmark,),
    "dataset": lambda row: (row.dataset, row.dataset_title),
    "split": lambda row: (row.split, row.benchmark),
    "setting": lambda row: (row.traits.setting,),
    "supervision": lambda row: (row.traits.supervision,),
    "backbone": lambda row: (row.traits.backbone,),
    "metric": lambda row: tuple(row.values),
}
"""Names that a row is found by, by their kind."""


def _find_fits(kind: str, wanted: str, known: Sequence[Sequence[str]]) -> list[bool]:
    """Return for every row whether one of its names is the wanted one.

    Raises:
        KeyError: None is, in any row.
    """
    folded = fold_name(wanted)
    fits = [any(fold_name(name) == folded for name in names) for names in known]
    if not any(fits) and (known or wanted):
        raise KeyError(explain_unknown_name(f"{kind} among published numbers", wanted, _list_names(known)))
    return fits


def _list_names(known: Iterable[Sequence[str]]) -> list[str]:
    return list(dict.fromkeys(name for names in known for name in names if name))


@lru_cache(maxsize=4096)
def fold_name(name: str) -> str:
    """Return a name without the differences that do not count between names."""
    return re.sub(r"[\s_,-]+", " ", name.strip().casefold())
