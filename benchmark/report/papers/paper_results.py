"""Results of a paper's table: our rows on every dataset of it, each with its published numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from benchmark.core.paper import PaperDataset
from benchmark.core.paper_row import PaperRow
from benchmark.core.paper_tables import NamedTable, choose_datasets
from benchmark.core.plan import PlanRow
from benchmark.core.run_spec import IMPORTED
from benchmark.core.run_state import RunState
from benchmark.core.split import name_split
from benchmark.evaluation.jackknife import ImageJackknife
from benchmark.evaluation.scores import Convention, Metric
from benchmark.published.published_row import PublishedRow
from benchmark.published.read import read_published
from benchmark.report.papers.published_match import PublishedVerdict, compare_with_published, match_published
from benchmark.report.published_obstacles import find_published_obstacle
from benchmark.report.result_row import ResultRow, RunResult
from benchmark.report.rows import TABLE_METRICS, Row, read_planned_rows
from benchmark.report.study_results import GroupResults, StudyResults, collect_results
from benchmark.report.tables.column import TableRow
from benchmark.store.store import Store
from benchmark.utils.method_names import is_path_like, name_method_file, split_method


@dataclass(frozen=True, eq=False)
class PaperCell:
    """What a table says of one row on one dataset.

    Attributes:
        own: Our results with what depends on other rows; None for published numbers alone, or without a split of ours.
        published: Published numbers; None if there are none.
        obstacle: Reason why the two do not meet; empty if they do, or if one of them is missing.
        verdict: What the published number of the compared metric says of ours; None if they do not meet.
    """

    own: TableRow | None = None
    published: PublishedRow | None = None
    obstacle: str = ""
    verdict: PublishedVerdict | None = None

    @property
    def row(self) -> ResultRow | None:
        """Our results; None if there are none."""
        return None if self.own is None else self.own.row


@dataclass(frozen=True, eq=False)
class PaperResults:
    """Results of a table.

    Attributes:
        named: Table.
        datasets: Datasets of the columns.
        study: Our results as those of a study; None if no row is ours or no dataset has a split.
        cells: For every row, a cell per dataset.
    """

    named: NamedTable
    datasets: tuple[PaperDataset, ...]
    study: StudyResults | None
    cells: tuple[tuple[PaperCell, ...], ...]

    @property
    def rows(self) -> tuple[PaperRow, ...]:
        """Rows of the table."""
        return self.named.table.rows

    def get_column(self, index: int) -> list[PaperCell]:
        """Return the cells of one dataset."""
        return [cells[index] for cells in self.cells]


def collect_paper(
    store: Store,
    named: NamedTable,
    plan_rows: Sequence[PlanRow],
    *,
    split: str = "",
    convention: Convention = "d2-main",
    metrics: Sequence[Metric] = TABLE_METRICS,
    has_ranks: bool = False,
    adapt: Callable[[list[Row]], list[Row]] = lambda rows: rows,
) -> PaperResults:
    """Return the results of a table.

    Args:
        store: Store that holds the runs.
        named: Table.
        plan_rows: Rows of its plans, and those of imported predictions; rows without one are missing. Of two on one
            split, the first is taken.
        split: Name or pattern of the splits to take, see `choose_datasets`.
        convention: Convention of the scores.
        metrics: Metrics that get estimates.
        has_ranks: Whether to rank the rows.
        adapt: Function that replaces the rows, such as by those that any machine has.

    Raises:
        KeyError: A published method or the baseline is unknown; the message suggests the nearest.
        ValueError: Several published rows fit a cell, or a row holds runs of different settings.
    """
    datasets = choose_datasets(named, split)
    jackknife = ImageJackknife(tuple(metrics))
    planned = {(row.label, row.split, row.method == IMPORTED): row for row in reversed(plan_rows)}
    places = dict.fromkeys(name_split(place) for dataset in datasets for place in dataset.splits)
    pairs = product(places, named.table.scored_rows)
    wanted = [
        planned.get((row.label, place, row.imported is not None)) or _make_missing(row, place) for place, row in pairs
    ]
    rows = _read_wanted(store, wanted, named, convention=convention, jackknife=jackknife)
    baseline = named.table.baseline or next((row.label for row in named.table.own_rows), "")
    parts = [set(map(name_split, dataset.splits)) for dataset in datasets]
    study = collect_results(adapt(rows), baseline=baseline, has_ranks=has_ranks, parts=parts) if rows else None
    published = read_published()
    cells = tuple(
        tuple(_make_cell(named, row, dataset, study=study, published=published) for dataset in datasets)
        for row in named.table.rows
    )
    return PaperResults(named, datasets, study, cells)


def _make_missing(row: PaperRow, split: str) -> PlanRow:
    path = split_method(row.method)[0]
    if path.endswith(".py"):
        path = name_method_file(path)
    method = Path(path).name if is_path_like(path) else path or IMPORTED  # a path that leads nowhere on this machine
    return PlanRow(label=row.label, method=method, split=split, ids={})


def _read_wanted(
    store: Store, wanted: Sequence[PlanRow], named: NamedTable, *, convention: Convention, jackknife: ImageJackknife
) -> list[Row]:
    """Return the results of the planned rows, and rows that say what is missing in place of the others."""
    planned = [row for row in wanted if row.ids]
    known = iter(read_planned_rows(store, planned, convention=convention, jackknife=jackknife))
    return [
        next(known) if row.ids else _fill_missing(row, named, convention=convention, jackknife=jackknife)
        for row in wanted
    ]


def _fill_missing(known: PlanRow, named: NamedTable, *, convention: Convention, jackknife: ImageJackknife) -> Row:
    """Return a row that was never planned, with a missing run for every seed, or one if it is to be imported."""
    seeds = named.table.seeds[:1] if known.method == IMPORTED else named.table.seeds
    runs = tuple(RunResult(seed=seed, run_id="", state=RunState.MISSING, problem="missing") for seed in seeds)
    return Row(
        label=known.label,
        method=known.method,
        split=known.split,
        runs=runs,
        convention=convention,
        jackknife=jackknife,
    )


def _make_cell(
    named: NamedTable,
    row: PaperRow,
    dataset: PaperDataset,
    *,
    study: StudyResults | None,
    published: Sequence[PublishedRow],
) -> PaperCell:
    own = _find_own(study, row, dataset) if row.is_scored and study is not None else None
    numbers = None
    if row.published is not None:
        numbers = match_published(published, row.published, dataset, setting=named.table.setting)
    if own is None or numbers is None:
        return PaperCell(own, numbers)
    obstacle = find_published_obstacle(own.row, numbers)
    estimate = next((known for metric, known in own.row.estimates.items() if metric == named.table.compared), None)
    verdict = None if obstacle else compare_with_published(estimate, numbers, named.table.compared)
    return PaperCell(own, numbers, obstacle, verdict)


def _find_own(study: StudyResults, row: PaperRow, dataset: PaperDataset) -> TableRow | None:
    """Return our results of a row on a dataset.

    Raises:
        ValueError: They are on several splits of which no mean can be taken.
    """
    names = set(map(name_split, dataset.splits))
    on_some = [
        (splits, TableRow(result, group.setting, group.name, difference, rank))
        for group in study.groups
        for result, difference, rank in zip(group.rows, group.differences, group.ranks, strict=True)
        if result.label == row.label and (splits := _list_splits(group, result)) <= names
    ]
    on_all = [table_row for splits, table_row in on_some if splits == names]
    found = on_all[:1] or [table_row for _, table_row in on_some]
    if len(found) > 1:
        places = ", ".join(table_row.group for table_row in found)
        reasons = "; ".join(study.obstacles)
        raise ValueError(
            f"row {row.label!r} on {dataset.label} is on splits that are no choices from one pool of classes ({places})"
            + (f": {reasons}" if reasons else "")
        )
    return found[0] if found else None


def _list_splits(group: GroupResults, row: ResultRow) -> set[str]:
    if row.split:
        return {row.split}
    return {member.split for part in group.splits for member in part.rows if member.label == row.label}
