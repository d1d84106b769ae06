"""A table for programs: every row with its numbers in full, its runs and what went wrong."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from typing import Any

from benchmark.report.paired import Difference
from benchmark.report.rows import SHOWN, Cell, Row, Setting
from benchmark.report.tables.notes import runs_digest
from benchmark.report.tables.sheet import Sheet

DECIMALS = 6


def json_text(
    rows: Sequence[Row], sheet: Sheet, *, setting: Setting | None, differences: Sequence[Difference | None]
) -> str:
    """One object: what holds for the table, and a list of rows with all their runs."""
    classes = next((counts for row in rows for counts in row.counts), None)
    pairs = zip(rows, differences, strict=True)
    value = {
        "title": sheet.title,
        "convention": rows[0].convention,
        "gamma": next((row.gamma for row in rows if row.records), 0.0) or None,
        "setting": setting._asdict() if setting is not None else None,
        "classes": list(classes.classes) if classes is not None else [],
        "seen": list(classes.seen) if classes is not None else [],
        "runs_digest": runs_digest(rows),
        "rows": [
            row_fields(row, difference) | {"runs": [_run(cell) for cell in row.cells]} for row, difference in pairs
        ],
        "notes": [{"mark": note.mark, "text": note.text} for note in sheet.notes],
    }
    return json.dumps(plain(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def csv_text(rows: Sequence[Row], *, setting: Setting | None, differences: Sequence[Difference | None]) -> str:
    """One line a row; a field that is not defined is empty."""
    lines = [_line(row, setting, difference) for row, difference in zip(rows, differences, strict=True)]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, fieldnames=list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: "" if value is None else value for key, value in plain(line).items()} for line in lines)
    return buffer.getvalue()


def row_fields(row: Row, difference: Difference | None) -> dict[str, Any]:
    """What a row comes to, without its single runs."""
    fields: dict[str, Any] = {
        "label": row.label,
        "method": row.method,
        "title": row.title,
        "supervision": row.supervision,
        "reconstruction": row.reconstruction,
        "state": row.state,
        "runs_done": len(row.done),
        "runs_planned": len(row.cells),
    }
    for metric in SHOWN:
        mean, interval = row.estimates.get(metric, (None, None))
        fields |= {
            metric: mean,
            f"{metric}_low": interval and interval.low,
            f"{metric}_high": interval and interval.high,
            f"{metric}_interval_over": interval and interval.kind,
        }
    paired = difference and difference.paired
    fields |= {
        "hiou_difference": paired and paired.difference,
        "hiou_difference_low": paired and paired.interval.low,
        "hiou_difference_high": paired and paired.interval.high,
        "hiou_difference_interval_over": paired and paired.interval.kind,
        "p_adjusted": difference and difference.p_adjusted,
    }
    return fields | _cost_fields(row)


def plain(value: Any) -> Any:
    """As JSON has it: nan becomes None, floats are rounded so that the last bit of a platform does not show."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return round(value, DECIMALS) if math.isfinite(value) else None
    return value


def _line(row: Row, setting: Setting | None, difference: Difference | None) -> dict[str, Any]:
    given = setting._asdict() if setting is not None else dict.fromkeys(Setting._fields)
    return {
        **row_fields(row, difference),
        **given,
        "convention": row.convention,
        "gamma": row.gamma or "none",
        "run_ids": " ".join(cell.run_id for cell in row.cells),
        "stale": " ".join(cell.run_id for cell in row.cells if cell.is_stale),
        "problems": "; ".join(f"seed {cell.seed}: {cell.problem}" for cell in row.cells if cell.problem),
    }


def _cost_fields(row: Row) -> dict[str, Any]:
    names = (
        "trainable_parameters",
        "total_parameters",
        "inference_flops",
        "training_flops",
        "latency_ms",
        "train_seconds",
        "peak_memory_mb",
    )
    return {name: getattr(row.cost, name) if row.cost is not None else None for name in names}


def _run(cell: Cell) -> dict[str, Any]:
    record, scores = cell.record, cell.scores
    return {
        "seed": cell.seed,
        "id": cell.run_id,
        "state": cell.state,
        "problem": cell.problem,
        "stale": cell.is_stale,
        "code_digest": record.environment.code_digest if record is not None else None,
        "commit": record.environment.commit if record is not None else None,
        "device": record.environment.device if record is not None else None,
        "counts_digest": record.counts_digest if record is not None else None,
        **{
            metric: getattr(scores, metric) if scores is not None else None
            for metric in (*SHOWN, "miou", "pixel_accuracy")
        },
        "iou": list(scores.iou) if scores is not None else None,
        "budget": record.spec.budget.model_dump(mode="json") if record is not None else None,
        "overrides": record.spec.overrides if record is not None else None,
        "cost": record.cost.model_dump(mode="json") if record is not None and record.cost is not None else None,
    }
