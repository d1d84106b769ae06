"""Checks of published numbers: what is printed is recomputed, and sources are compared with each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from benchmark.published.explanations import Explanation, Kind, read_explanations
from benchmark.published.number_ranges import ROUNDING_SLACK, bound_hiou, bound_mean, make_range
from benchmark.published.published_row import Metric, PublishedRow
from benchmark.published.read import PUBLISHED
from benchmark.utils.frozen_model import FrozenModel

EXPLANATIONS = PUBLISHED / "explanations.yaml"
"""File of the explanations."""
METRIC_NAMES: dict[Metric, str] = {
    "pixel_accuracy": "pAcc",
    "miou_seen": "S",
    "miou_unseen": "U",
    "hiou": "hIoU",
    "miou": "mIoU",
}


class Disagreement(FrozenModel):
    """Numbers that do not fit each other.

    Attributes:
        kind: What disagrees.
        subject: Row, or method, benchmark and metric; unique among the disagreements of a kind.
        values: Numbers that disagree, in percent, from the smallest to the largest.
        numbers: Numbers with their origin, in words.
        rows: IDs of the rows concerned.
        explanation: Reason; empty if there is none yet.
    """

    kind: Kind
    subject: str
    values: tuple[float, ...]
    numbers: str
    rows: tuple[str, ...]
    explanation: str = ""

    @property
    def is_explained(self) -> bool:
        """Whether a reason is given."""
        return bool(self.explanation)


def check_published(
    rows: Sequence[PublishedRow], explanations: Sequence[Explanation] | None = None
) -> list[Disagreement]:
    """Return where published numbers do not fit each other, by kind and in the order of the rows.

    A printed number stands for all numbers that are rounded to it. hIoU disagrees if no S and U that are rounded to the
    printed ones give an hIoU that is rounded to the printed one, and an average likewise. Sources disagree if they
    print different numbers of one method with the same backbone on one benchmark and in one setting, whatever extra
    models they name. Averages of sources are not compared: they differ if their numbers do.

    Args:
        rows: All rows; an average is checked if the rows that it averages are among them.
        explanations: Reasons of disagreements; those of `EXPLANATIONS` if None.

    Raises:
        ValueError: The file of explanations is broken; one line that names file, line and field.
    """
    known = read_explanations(EXPLANATIONS) if explanations is None else explanations
    texts: dict[tuple[str, str, tuple[float, ...]], str] = {
        (explanation.kind, subject, values): explanation.text
        for explanation in known
        for subject, values in explanation.cases.items()
    }
    found = [*_check_hiou(rows), *_check_averages(rows), *_check_sources(rows)]
    return [
        disagreement.model_copy(update={"explanation": texts.get(_identify(disagreement), "")})
        for disagreement in found
    ]


def list_unused(found: Iterable[Disagreement], explanations: Sequence[Explanation] | None = None) -> list[str]:
    """Return the subjects of explanations that explain no disagreement, because the numbers have changed.

    Args:
        found: Disagreements of all rows.
        explanations: Reasons of disagreements; those of `EXPLANATIONS` if None.
    """
    known = read_explanations(EXPLANATIONS) if explanations is None else explanations
    used = {_identify(disagreement) for disagreement in found}
    return [
        f"{explanation.kind}: {subject}"
        for explanation in known
        for subject, values in explanation.cases.items()
        if (explanation.kind, subject, values) not in used
    ]


def _identify(disagreement: Disagreement) -> tuple[str, str, tuple[float, ...]]:
    return (disagreement.kind, disagreement.subject, disagreement.values)


def _check_hiou(rows: Iterable[PublishedRow]) -> Iterator[Disagreement]:
    """Yield the rows whose printed hIoU no S and U give that are rounded to the printed ones."""
    for row in rows:
        if not {"miou_seen", "miou_unseen", "hiou"} <= set(row.printed):
            continue
        seen, unseen, hiou = (
            make_range(row.printed[metric], row.half_unit) for metric in ("miou_seen", "miou_unseen", "hiou")
        )
        if not bound_hiou(seen, unseen).overlaps(hiou):
            printed, computed = row.printed["hiou"], row.recomputed["hiou"]
            parts = [f"{row.printed[metric]:.{row.decimals}f}" for metric in ("miou_seen", "miou_unseen")]
            yield Disagreement(
                kind="hiou",
                subject=_name(row),
                values=_sort(printed, computed),
                numbers=f"{printed:.{row.decimals}f} printed, {computed:.2f} from S {parts[0]} and U {parts[1]}",
                rows=(row.id,),
            )


def _check_averages(rows: Sequence[PublishedRow]) -> Iterator[Disagreement]:
    """Yield the rows whose printed average no numbers give that are rounded to the printed ones.

    An average without numbers of its own is compared with those of the same method in another source.
    """
    by_id = {row.id: row for row in rows}
    complete = {_identify_average(row): row.averaged for row in rows if row.averaged}
    for row in rows:
        names = row.averaged or complete.get(_identify_average(row), ())
        parts = [by_id[name] for name in names if name in by_id]
        if not names or len(parts) < len(names) or "miou" not in row.printed:
            continue
        mean = bound_mean([make_range(part.stated["miou"], part.half_unit) for part in parts])
        if not mean.overlaps(make_range(row.printed["miou"], row.half_unit)):
            printed = row.printed["miou"]
            computed = round(sum(part.stated["miou"] for part in parts) / len(parts), 2)
            origin = "" if row.averaged else f" in {', '.join(parts[0].source_names)}"
            yield Disagreement(
                kind="average",
                subject=_name(row),
                values=_sort(printed, computed),
                numbers=f"{printed:.{row.decimals}f} printed, {computed:.2f} from the {len(parts)} numbers{origin}",
                rows=(row.id, *names),
            )


def _identify_average(row: PublishedRow) -> tuple[str, str, str]:
    """Return what averages of the same numbers share."""
    return (row.system, row.benchmark, row.traits.backbone)


def _check_sources(rows: Iterable[PublishedRow]) -> Iterator[Disagreement]:
    """Yield the methods of which sources print different numbers."""
    groups: dict[tuple[str, ...], list[PublishedRow]] = {}
    for row in rows:
        if not row.is_average:
            key: tuple[str, ...] = (row.system, row.benchmark, row.traits.setting, row.traits.backbone)
            groups.setdefault(key, []).append(row)
    for key, group in groups.items():
        for metric, name in METRIC_NAMES.items():
            members = [row for row in group if metric in row.stated]
            if any(_differ(one, other, metric) for one, other in combinations(members, 2)):
                yield Disagreement(
                    kind="sources",
                    subject=", ".join([*filter(None, key), name]),
                    values=_sort(*(row.stated[metric] for row in members)),
                    numbers=_describe_sources(members, metric),
                    rows=tuple(row.id for row in members),
                )


def _name(row: PublishedRow) -> str:
    """Return the name of a row for people."""
    return ", ".join(filter(None, (row.method, row.benchmark, row.traits.setting, row.traits.backbone)))


def _differ(one: PublishedRow, other: PublishedRow, metric: Metric) -> bool:
    """Return whether two numbers are not the same number, rounded differently at most."""
    distance = abs(one.stated[metric] - other.stated[metric])
    return distance > ROUNDING_SLACK and distance > max(one.half_unit, other.half_unit) + ROUNDING_SLACK


def _sort(*values: float) -> tuple[float, ...]:
    return tuple(sorted(set(values)))


def _describe_sources(rows: Sequence[PublishedRow], metric: Metric) -> str:
    """Return the numbers of some rows with their sources, each number once, and with extra models if these differ."""
    has_models = len({row.traits.extra_models for row in rows}) > 1
    names = [", ".join(row.source_names) for row in rows]
    origins: dict[str, dict[str, None]] = {}
    for row, name in zip(rows, names, strict=True):
        number = f"{row.stated[metric]:.{row.decimals}f}" + ("" if metric in row.printed else ", computed here")
        models = f" with {' + '.join(row.traits.extra_models) or 'no extra model'}" if has_models else ""
        # the same file twice: its parts tell the numbers apart
        source = name if names.count(name) == 1 else row.source
        origins.setdefault(number, {})[source + models] = None
    return ", ".join(f"{number} ({'; '.join(sources)})" for number, sources in origins.items())
