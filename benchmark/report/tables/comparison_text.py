"""A comparison as text for people and as JSON for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Literal, get_args

from benchmark.core.run_record import Cost
from benchmark.report.comparison import Comparison
from benchmark.report.rows import SHOWN
from benchmark.report.tables import typeset
from benchmark.report.tables.columns import (
    NOTHING,
    SCORE_HEADERS,
    difference_entries,
    estimate_entry,
    number,
    signed,
    three_figures,
)
from benchmark.report.tables.export import plain, row_fields
from benchmark.report.tables.notes import CONVENTION_TEXTS, gamma_text
from benchmark.report.tables.sheet import UNSEEN_MARK, Entry, Note, Sheet
from benchmark.utils.did_you_mean import unknown_name

Form = Literal["txt", "md", "tex", "json"]
FORMS: tuple[Form, ...] = get_args(Form)
HEADER = ("A", "B", "A - B")

COST_FIGURES: dict[str, Callable[[Cost], float]] = {
    "trainable parameters (M)": lambda cost: cost.trainable_parameters / 1e6,
    "total parameters (M)": lambda cost: cost.total_parameters / 1e6,
    "GFLOPs, test image": lambda cost: cost.inference_flops / 1e9,
    "GFLOPs, training image": lambda cost: cost.training_flops / 1e9,
    "test image (ms)": lambda cost: cost.latency_ms,
    "training (s)": lambda cost: cost.train_seconds,
    "peak memory (MB)": lambda cost: cost.peak_memory_mb,
}


def render(comparison: Comparison, *, fmt: str = "txt", digits: int = 1) -> str:
    """Draw a comparison.

    Args:
        comparison: as `compare.compare` gives it.
        fmt: one of `FORMS`.
        digits: decimals of scores.

    Raises:
        KeyError: an unknown form; names the nearest.
    """
    if fmt not in FORMS:
        raise KeyError(unknown_name("form of a comparison", fmt, FORMS))
    if fmt == "json":
        return _json_text(comparison)
    sheets = [_scores(comparison, digits=digits), _classes(comparison, digits=digits), _costs(comparison)]
    draw = {"txt": typeset.aligned, "md": typeset.markdown, "tex": typeset.latex}[fmt]
    return "\n".join(draw(sheet) for sheet in sheets if sheet.entries)


def _scores(comparison: Comparison, *, digits: int) -> Sheet:
    a, b = comparison.a, comparison.b
    entries = []
    for metric in SHOWN:
        sides = [estimate_entry(row.estimates[metric], digits=digits) for row in (a, b)]
        found = difference_entries(comparison.differences.get(metric), digits=digits)
        entries.append((Entry(SCORE_HEADERS[metric]), *sides, *found))
    return Sheet(
        title=f"A: {a.label} ({len(a.done)} runs)   B: {b.label} ({len(b.done)} runs)".replace("(1 runs)", "(1 run)"),
        header=("Score", *HEADER, "p"),
        is_words=(True, False, False, False, False),
        entries=tuple(entries),
        notes=tuple(Note(text) for text in _notes(comparison)),
    )


def _classes(comparison: Comparison, *, digits: int) -> Sheet:
    """Unseen classes first, then by what A gains."""
    order = sorted(comparison.classes, key=lambda one: (one.is_seen, math.isnan(one.difference), -one.difference))
    entries = [
        (
            Entry(one.name + ("" if one.is_seen else UNSEEN_MARK)),
            Entry(number(one.a, digits=digits)),
            Entry(number(one.b, digits=digits)),
            Entry("n/a" if math.isnan(one.difference) else signed(one.difference, digits=digits)),
        )
        for one in order
    ]
    note = Note(f"{UNSEEN_MARK} unseen in training. Means over the runs; single classes are not tested.")
    return Sheet("IoU per class (%)", ("Class", *HEADER), (True, False, False, False), tuple(entries), (note,))


def _costs(comparison: Comparison) -> Sheet:
    a, b = comparison.a.cost, comparison.b.cost
    entries = []
    if a is not None and b is not None:
        for name, figure_of in COST_FIGURES.items():
            one, other = figure_of(a), figure_of(b)
            ratio = f"{three_figures(one / other)}x" if other else NOTHING
            entries.append((Entry(name), Entry(three_figures(one)), Entry(three_figures(other)), Entry(ratio)))
    return Sheet("Cost", ("Figure", "A", "B", "A / B"), (True, False, False, False), tuple(entries), ())


def _notes(comparison: Comparison) -> list[str]:
    convention = comparison.a.convention
    gamma = f"Offset gamma: {gamma_text(comparison.a)}."
    texts = [f"Scores in percent; IoU convention {convention}: {CONVENTION_TEXTS[convention]}. {gamma}"]
    first = next(iter(comparison.differences.values()), None)
    if first is not None:
        paired = first.paired
        texts.append(
            f"A - B: percentage points, {paired.interval.level:.0%} interval of a paired bootstrap over "
            f"{paired.interval.kind} ({paired.images} images, {paired.replicates} replicates); p: two-sided, Holm over "
            f"{len(comparison.differences)} scores."
        )
    kinds = {
        one.interval.kind for row in (comparison.a, comparison.b) for one in row.estimates.values() if one.interval
    }
    if "seeds" in kinds:
        texts.append("±: half width of Student's t 95% interval over the seeds.")
    if "images" in kinds:
        texts.append("[low, high] of A and of B: 95% bootstrap interval over the images.")
    return texts + [f"Caution: {text}." for text in comparison.cautions]


def _json_text(comparison: Comparison) -> str:
    value = {
        "a": row_fields(comparison.a, None) | {"run_ids": [cell.run_id for cell in comparison.a.cells]},
        "b": row_fields(comparison.b, None) | {"run_ids": [cell.run_id for cell in comparison.b.cells]},
        "convention": comparison.a.convention,
        "gamma": comparison.a.gamma or None,
        "differences": {
            metric: {
                "difference": one.paired.difference,
                "low": one.paired.interval.low,
                "high": one.paired.interval.high,
                "level": one.paired.interval.level,
                "interval_over": one.paired.interval.kind,
                "p_value": one.paired.p_value,
                "p_adjusted": one.p_adjusted,
                "images": one.paired.images,
                "replicates": one.paired.replicates,
            }
            for metric, one in comparison.differences.items()
        },
        "classes": [
            {"name": one.name, "seen": one.is_seen, "a": one.a, "b": one.b, "difference": one.difference}
            for one in comparison.classes
        ],
        "cautions": list(comparison.cautions),
    }
    return json.dumps(plain(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
