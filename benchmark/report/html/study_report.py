"""The data of a report, made from results once and never changed: results → report → page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from benchmark.core.plan import Plan
from benchmark.published.published_row import PublishedRow
from benchmark.report.compute.compute_rows import Compute
from benchmark.report.compute.compute_table import lay_out as lay_out_compute
from benchmark.report.compute.paragraph import write_paragraph
from benchmark.report.html.embedded_images import NO_IMAGES, EmbeddedImages
from benchmark.report.html.figure_font import embed_font
from benchmark.report.html.figures import ReportFigure, draw_figures
from benchmark.report.html.limits import count_done_splits, list_limits
from benchmark.report.html.published_beside import BesideTable, lay_beside
from benchmark.report.html.report_table import MAX_RANKED, ReportTable, lay_out_report_table
from benchmark.report.html.run_details import describe_row
from benchmark.report.html.run_failures import Failures, collect_failures
from benchmark.report.html.score_maps import MAX_IMAGE_SCORES, GroupScores, collect_scores, describe_uneven_rows
from benchmark.report.html.verdicts import GroupVerdicts, judge_group
from benchmark.report.study_results import StudyResults
from benchmark.report.tables.layout import TableLayout
from benchmark.report.tables.notes import describe_limits, digest_runs
from benchmark.report.tables.selection import SelectedColumns
from benchmark.store.store import Store


@dataclass(frozen=True)
class ReportRow:
    """A row of the table as the page's script knows it.

    Attributes:
        label: Label.
        group: Index of the row's group.
        details: What `run_details.describe_row` returns.
    """

    label: str
    group: int
    details: dict[str, Any] = field(repr=False)


class ComputeTexts(NamedTuple):
    """Texts of a report on the compute of its runs; the attempts behind them are not kept.

    Attributes:
        table: Table of compute; None if no attempt is on record.
        paragraph: Paragraph on compute for a paper; empty if no attempt is on record.
    """

    table: TableLayout | None
    paragraph: str


@dataclass(frozen=True)
class ReportSources:
    """What a report is made of beside results.

    Attributes:
        plan: Plan of the rows.
        names: Names that the user gave.
        columns: Columns of the table, see `report_table.select_report_columns`.
        compute: Texts on the compute of the plan.
        published: All published rows.
        embedded: Embedded images of the first group.
    """

    plan: Plan
    names: tuple[str, ...]
    columns: SelectedColumns
    compute: ComputeTexts
    published: tuple[PublishedRow, ...] = ()
    embedded: EmbeddedImages = NO_IMAGES


@dataclass(frozen=True)
class StudyReport:
    """Everything that a page shows.

    Attributes:
        title: Title of the study, or of several.
        names: Names that the user gave.
        summary: Numbers of rows, runs, splits and images in words.
        digest: Short hash of the runs and pixel counts behind the page.
        warnings: What a reader must know before any number.
        groups: Names of the groups; rows of different ones are not comparable.
        baselines: Label of the baseline by group; empty if there is none.
        verdicts: Verdicts by group.
        figures: Figures, group by group.
        font: Data URL of the figures' font.
        table: Table.
        rows: Rows of the table.
        scores: Scores of classes and images by group.
        uneven_rows: Warning of rows whose scores are means over fewer splits; empty if there are none.
        embedded: Embedded images of the first group.
        published: Published numbers beside ours, by split.
        failures: Runs without a result.
        compute: Table of compute; None if no attempt is on record.
        paragraph: Paragraph on compute for a paper.
        limits: What the report does not show.
        has_ranks: Whether rows were ranked.
    """

    title: str
    names: tuple[str, ...]
    summary: str
    digest: str
    warnings: tuple[str, ...]
    groups: tuple[str, ...]
    baselines: tuple[str, ...]
    verdicts: tuple[GroupVerdicts, ...]
    figures: tuple[ReportFigure, ...]
    font: str
    table: ReportTable
    rows: tuple[ReportRow, ...]
    scores: tuple[GroupScores, ...]
    uneven_rows: str
    embedded: EmbeddedImages
    published: tuple[BesideTable, ...]
    failures: Failures
    compute: TableLayout | None
    paragraph: str
    limits: tuple[str, ...]
    has_ranks: bool

    def select_figures(self, name: str) -> tuple[ReportFigure, ...]:
        """Return the figures of a name, one per group that has it."""
        return tuple(figure for figure in self.figures if figure.name == name)


def describe_compute(compute: Compute) -> ComputeTexts:
    """Return the table and the paragraph on compute."""
    if not compute.rows and not compute.tuning:
        return ComputeTexts(None, "")
    return ComputeTexts(lay_out_compute(compute), write_paragraph(compute))


def is_rankable(plan: Plan) -> bool:
    """Return whether a plan has so few rows that they are ranked."""
    return len({(row.method, row.label) for row in plan.rows}) <= MAX_RANKED


def build_report(results: StudyResults, store: Store, sources: ReportSources) -> StudyReport:
    """Return the report of results.

    Args:
        results: Results with the metrics of the columns.
        store: Store that holds the runs.
        sources: What else the report is made of.

    Raises:
        ValueError: No run is done, so that there is nothing to report.
    """
    _check_results(results, sources.names)
    groups, is_only = results.groups, len(results.groups) == 1
    family = sum(known is not None for known in results.differences)
    figures = draw_figures(groups, store)
    return StudyReport(
        title=sources.plan.title or ", ".join(sources.names),
        names=sources.names,
        summary=summarize(results),
        digest=digest_runs(results.rows),
        warnings=tuple(describe_limits(results)),
        groups=tuple(group.name for group in groups),
        baselines=tuple("" if group.baseline is None else group.baseline.label for group in groups),
        verdicts=tuple(
            judge_group(group, wanted=results.baseline.label, family=family, is_only=is_only) for group in groups
        ),
        figures=figures,
        font=embed_font(figure.svg for figure in figures),
        table=lay_out_report_table(results, sources.columns),
        rows=tuple(
            ReportRow(row.label, at, describe_row(row)) for at, group in enumerate(groups) for row in group.rows
        ),
        scores=_collect_all_scores(results),
        uneven_rows=describe_uneven_rows(results.groups),
        embedded=sources.embedded,
        published=lay_beside(results, sources.published),
        failures=collect_failures(results, store),
        compute=sources.compute.table,
        paragraph=sources.compute.paragraph,
        limits=tuple(list_limits(results)),
        has_ranks=sources.columns.has_ranks,
    )


def _check_results(results: StudyResults, names: Sequence[str]) -> None:
    if not results.has_results:
        raise ValueError(
            f"no run of {', '.join(names)} is done, so there is nothing to report: chimera-bench status shows its runs"
        )


def summarize(results: StudyResults) -> str:
    """Return the numbers of rows, runs, splits, classes and images in words."""
    rows = results.rows
    done, planned = sum(len(row.done) for row in rows), sum(len(row.runs) for row in rows)
    splits = len({group.rows[0].split for group in results.by_split.groups})
    done_splits = len({split for group in results.groups for split in group.list_done_splits()})
    place = _count(splits, "split") if done_splits == splits else count_done_splits(done_splits, splits)
    images = max((len(counts.image_ids) for row in rows for counts in row.counts[:1]), default=0)
    parts = [_count(len(rows), "row"), f"{done} of {_count(planned, 'run')} done", place]
    return " · ".join([*parts, f"up to {_count(images, 'image')} scored per run"])


def _collect_all_scores(results: StudyResults) -> tuple[GroupScores, ...]:
    limit, first, scores = MAX_IMAGE_SCORES // len(results.groups), 0, []
    for group in results.groups:
        scores.append(collect_scores(group, first=first, limit=limit))
        first += len(group.rows)
    return tuple(scores)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
