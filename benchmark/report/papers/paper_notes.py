"""Notes of a paper's table: on cells, on the classes that values are ranked in, on how cells look, and on sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmark.core.protocol_class import ClassKey
from benchmark.core.run_state import RunState
from benchmark.evaluation.scores import METRICS, Metric
from benchmark.report.papers.paper_results import PaperCell, PaperResults
from benchmark.report.papers.published_match import describe_published, list_published_metrics
from benchmark.report.tables.headers import SCORE_HEADERS, describe_supervision
from benchmark.report.tables.traits import list_trait_differences


@dataclass
class RowTexts:
    """Notes on one row.

    Attributes:
        label: Notes that hold on all datasets.
        own: Notes on our results, a list per dataset.
        published: Notes on published numbers and their difference from ours, a list per dataset.
    """

    label: list[str] = field(default_factory=list)
    own: list[list[str]] = field(default_factory=list)
    published: list[list[str]] = field(default_factory=list)


def describe_cells(results: PaperResults, own: Mapping[int, Sequence[str]]) -> list[RowTexts]:
    """Return the notes on every row; what is said of it on all datasets is said of its label.

    Args:
        results: Results of the table.
        own: Notes on our results by the identity of the result row.
    """
    return [_describe_row(cells, own) for cells in results.cells]


def _describe_row(cells: Sequence[PaperCell], own: Mapping[int, Sequence[str]]) -> RowTexts:
    texts = [_describe_own(cell, own) for cell in cells]
    known = [some for cell, some in zip(cells, texts, strict=True) if cell.row is not None]
    shared = [text for text in known[0] if all(text in some for some in known)] if known else []
    left = [[text for text in some if text not in shared] for some in texts]
    return RowTexts(shared, left, [_describe_published_cell(cell) for cell in cells])


def _describe_own(cell: PaperCell, own: Mapping[int, Sequence[str]]) -> list[str]:
    """Return the notes on our results; none if they are missing altogether, which the cell says."""
    if cell.row is None or cell.row.state is RunState.MISSING:
        return []
    return list(own.get(id(cell.row), ()))


def _describe_published_cell(cell: PaperCell) -> list[str]:
    if cell.published is None:
        return []
    texts = describe_published(cell.published)
    if cell.obstacle:
        texts.append(f"ours and the published number cannot be compared: {cell.obstacle}")
    elif cell.row is not None and cell.row.done:
        differences = list_trait_differences(cell.row.traits, cell.published.traits)
        reasons = [f"{trait}: {own} (ours), {other} (published)" for trait, own, other in differences]
        reasons += ["our reconstruction of the method"] if cell.row.reconstruction else []
        if reasons:
            texts.append(f"the two numbers may differ because of {'; '.join(reasons)}")
    return texts


def describe_classes(results: PaperResults) -> list[str]:
    """Return the note on the classes within which values are ranked; none if all of ours are in one."""
    classes: dict[ClassKey, dict[str, None]] = {}
    for row, cells in zip(results.rows, results.cells, strict=True):
        for cell in cells:
            if cell.row is not None and cell.row.done:
                classes.setdefault(cell.row.traits.key, {})[row.label] = None
    if len(classes) < 2:
        return []
    parts = [f"{spell_class(key)}: {', '.join(labels)}" for key, labels in classes.items()]
    return [f"This table mixes classes of methods, and ranks within each alone. {'; '.join(parts)}."]


def spell_class(key: ClassKey) -> str:
    """Return a class of the protocol in words."""
    words = [describe_supervision(key.supervision), key.setting]
    words += ["chooses from the classes of the image"] if key.vocabulary == "image" else []
    words += [f"target images: {key.target_images}"] if key.target_images not in ("", "none") else []
    return ", ".join(word for word in words if word)


def describe_looks(results: PaperResults) -> list[str]:
    """Return the note on the looks of cells."""
    has_own = any(cell.row is not None for cells in results.cells for cell in cells)
    has_published = any(cell.published is not None for cells in results.cells for cell in cells)
    texts = (
        ["Best values are bold (*), second best underlined (+), among complete rows of one class."] if has_own else []
    )
    if has_own:
        texts.append(
            "The words missing, failed, running, interrupted and broken stand for results that are not there; values "
            "that are stale, imported or incomplete are italic, and a note says why."
        )
    if has_published:
        compared = SCORE_HEADERS[find_metric(results.named.table.compared)]
        names = " / ".join(SCORE_HEADERS[find_metric(key)] for key in list_published_metrics(results.named.table))
        texts.append(
            f"Published numbers are italic: {names}, as printed by their sources. Difference: ours minus published "
            f"{compared}. Verdict: whether the published number lies in our interval, widened by half a unit of its "
            "last decimal."
        )
    return texts


def find_metric(key: str) -> Metric:
    """Return the metric of a key.

    Raises:
        KeyError: There is none.
    """
    return next(metric for metric in METRICS if metric == key)


def describe_sources(results: PaperResults) -> list[str]:
    """Return the notes on the paper and on the sources of published numbers."""
    paper = results.named.paper
    texts = [f"{paper.title} ({paper.citation}). {paper.source.rstrip('.')}."]
    texts += [f"{paper.unpublished.rstrip('.')}."] if paper.unpublished else []
    sources = dict.fromkeys(
        name
        for cells in results.cells
        for cell in cells
        if cell.published is not None
        for name in cell.published.source_names
    )
    without = [
        dataset.label
        for index, dataset in enumerate(results.datasets)
        if all(cell.published is None for cell in results.get_column(index))
    ]
    if without and any(row.published is not None for row in results.rows):
        texts.append(f"No published numbers on {', '.join(without)}.")
    if sources:
        texts.append(f"Published numbers from: {'; '.join(sources)}; --provenance lists them one by one.")
    return texts
