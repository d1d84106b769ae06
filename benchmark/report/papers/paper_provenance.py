"""Provenance of a paper's table: every run behind it, and every published number with its source."""

from __future__ import annotations

from collections.abc import Iterator

from benchmark.core.run_record import digest_code
from benchmark.report.papers.paper_results import PaperResults
from benchmark.report.pooled_rows import PooledRow
from benchmark.report.result_row import ResultRow, RunResult
from benchmark.report.tables.formats import check_format, format_layout
from benchmark.report.tables.json_text import dump_json, format_csv
from benchmark.report.tables.layout import TableCell, TableLayout
from benchmark.report.tables.numbers import NOTHING

HEADER = (
    "row",
    "dataset",
    "split",
    "what",
    "state",
    "identity",
    "code or how read",
    "commit",
    "machine or source",
    "date",
)


def lay_out_provenance(results: PaperResults) -> TableLayout:
    """Return a line per run and per published row of a table."""
    lines = [tuple(TableCell(text or NOTHING) for text in line) for line in _iterate_lines(results)]
    return TableLayout(
        title=f"Provenance of {results.named.name}",
        header=HEADER,
        is_text=(True,) * len(HEADER),
        cells=tuple(lines),
        notes=(),
        is_wide=True,
    )


def render_provenance(results: PaperResults, *, fmt: str = "txt", width: int | None = None) -> str:
    """Return the provenance of a table as text.

    Args:
        results: Results of the table.
        fmt: Format, one of `formats.FORMATS`.
        width: Characters in a line of aligned text; None for all columns side by side.

    Raises:
        KeyError: The format is unknown; the message names the nearest.
    """
    from pandas import DataFrame

    check_format(fmt)
    layout = lay_out_provenance(results)
    if fmt not in ("csv", "json"):
        return format_layout(layout, fmt, width=width)
    frame = DataFrame([[cell.text for cell in row] for row in layout.cells], columns=list(HEADER))
    return format_csv(frame) if fmt == "csv" else dump_json(frame.to_dict("records"))


def _iterate_lines(results: PaperResults) -> Iterator[tuple[str, ...]]:
    for row, cells in zip(results.rows, results.cells, strict=True):
        for dataset, cell in zip(results.datasets, cells, strict=True):
            for part in list_parts(cell.row):
                for run in part.runs:
                    yield (row.label, dataset.label, part.split, *_describe_run(run))
            if cell.published is not None:
                known = cell.published
                yield (
                    row.label,
                    dataset.label,
                    known.split,
                    "published",
                    "verified" if known.is_verified else "not verified",
                    known.id,
                    known.how_read,
                    known.source_commit,
                    known.source,
                    str(known.year),
                )


def list_parts(row: ResultRow | None) -> tuple[ResultRow, ...]:
    """Return the results of a row on every single split; none without results of ours."""
    if row is None:
        return ()
    return row.members if isinstance(row, PooledRow) else (row,)


def _describe_run(run: RunResult) -> tuple[str, ...]:
    record, state = run.record, "stale" if run.is_stale else run.state.value
    if record is None:
        return (f"seed {run.seed}", state, run.run_id, "", "", "", "")
    environment = record.environment
    return (
        f"seed {run.seed}",
        state,
        run.run_id,
        digest_code(record.code)[:12],
        (environment.commit or "")[:12],
        environment.device,
        record.finished,
    )
