"""Verdicts: a sentence per comparison with the baseline, made from its interval and its corrected p value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, NamedTuple

from benchmark.evaluation.pooling import PooledDifference
from benchmark.evaluation.stats import PairedDifference
from benchmark.report.differences import AdjustedDifference
from benchmark.report.figures.row_looks import has_hiou
from benchmark.report.result_row import ResultRow
from benchmark.report.study_results import GroupResults
from benchmark.report.tables.layout import OTHER_CLASS
from benchmark.report.tables.numbers import format_difference, format_p_value
from benchmark.report.tables.traits import name_deciding_traits

Outcome = Literal["better", "worse", "alone", "undecided", "other-class"]
"""Whether a part or row is better or worse for certain; "alone" if only without the correction for many comparisons;
"other-class" if the row and the baseline are of two protocol classes, so that the difference is no verdict."""

ALPHA = 0.05
ROUNDED_TO_ZERO = 0.05
"""Size below which an end of an interval would print as 0.0, as if the interval contained 0."""
_REMOVED = re.compile(r"(?:no|without|w/o) (.+)", re.IGNORECASE)
"""Label of a row that lacks a part of the baseline."""


class Verdict(NamedTuple):
    """What a comparison says.

    Attributes:
        outcome: Result.
        claim: Words before the number, such as "SGD helps".
        numbers: Difference and interval, such as "+36.0 [+33.1, +40.2]".
        coverage: What the interval covers and rests on, and what speaks against the comparison.
    """

    outcome: Outcome
    claim: str
    numbers: str
    coverage: str

    @property
    def text(self) -> str:
        """The verdict as one sentence, without its coverage."""
        return f"{self.claim}: {self.numbers}"


@dataclass(frozen=True)
class GroupVerdicts:
    """Verdicts on the rows of a group.

    Attributes:
        group: Name of the group; empty if there is only one.
        baseline: Label of the baseline; empty if there is none.
        verdicts: Verdicts in the order of the rows.
        family: Number of comparisons that the p values are corrected for.
        level: Level of the intervals, such as "95%".
        obstacle: Reason why there are no verdicts; empty if there are some.
    """

    group: str
    baseline: str
    verdicts: tuple[Verdict, ...]
    family: int
    level: str
    obstacle: str

    @property
    def num_decided(self) -> int:
        """Number of comparisons that are decided."""
        return sum(verdict.outcome in ("better", "worse") for verdict in self.verdicts)

    @property
    def num_other_class(self) -> int:
        """Number of comparisons with a row of another protocol class than the baseline."""
        return sum(verdict.outcome == OTHER_CLASS for verdict in self.verdicts)


def judge_group(group: GroupResults, *, wanted: str, family: int, is_only: bool) -> GroupVerdicts:
    """Return the verdicts on the rows of a group.

    Args:
        group: Results with differences to the baseline.
        wanted: Label of the baseline of the groups that have one.
        family: Number of comparisons of all groups.
        is_only: Whether there is no other group.
    """
    pairs = [(row, known) for row, known in zip(group.rows, group.differences, strict=True) if known is not None]
    baseline = group.baseline
    return GroupVerdicts(
        group="" if is_only else group.name,
        baseline="" if baseline is None else baseline.label,
        verdicts=tuple(_judge(row, known, baseline, family) for row, known in pairs if baseline is not None),
        family=family,
        level=f"{pairs[0][1].paired.interval.level:.0%}" if pairs else "",
        obstacle="" if pairs else _find_obstacle(group, wanted),
    )


def _find_obstacle(group: GroupResults, wanted: str) -> str:
    """Return the reason why no row of a group is compared with the baseline."""
    baseline = group.baseline
    if baseline is None:
        return f"no row of this group is called {wanted}"
    if not baseline.done:
        return f"the baseline has no result ({baseline.state})"
    if not has_hiou(baseline):
        return "the hIoU of the baseline is not defined"
    others = [row for row in group.rows if row is not baseline]
    if not others:
        return "there is no other row"
    if not any(map(has_hiou, others)):
        return "no other row has a defined hIoU"
    return "no other row has a defined hIoU on a split that the baseline has, too"


def _judge(row: ResultRow, known: AdjustedDifference, baseline: ResultRow, family: int) -> Verdict:
    removed = _REMOVED.fullmatch(row.label) if known.is_within_class else None
    sign = -1 if removed else 1
    outcome = _decide(known, sign)
    claim = _claim_part(removed[1], outcome) if removed else _claim_row(row, baseline, outcome)
    interval = known.paired.interval
    ends = sorted((sign * interval.low, sign * interval.high))
    digits = 2 if outcome not in ("undecided", OTHER_CLASS) and any(abs(end) < ROUNDED_TO_ZERO for end in ends) else 1
    change, low, high = (format_difference(value, digits=digits) for value in (sign * known.paired.difference, *ends))
    numbers = f"{change} [{low}, {high}]"
    coverage = [f"{interval.level:.0%} interval over {interval.kind}; {_count(known.paired)}"]
    p = format_p_value(known.p_adjusted)
    coverage.append(f"p = {p}".replace("= <", "< ") + (f" after Holm over {family} comparisons" if family > 1 else ""))
    coverage += [interval.caution] if interval.caution else []
    return Verdict(outcome, claim, numbers, "; ".join(coverage))


def _decide(known: AdjustedDifference, sign: int) -> Outcome:
    interval = known.paired.interval
    if not known.is_within_class:
        return OTHER_CLASS
    if interval.low <= 0 <= interval.high:
        return "undecided"
    if known.p_adjusted >= ALPHA:
        return "alone"
    return "better" if sign * known.paired.difference > 0 else "worse"


def _claim_part(part: str, outcome: Outcome) -> str:
    words = {"better": "helps", "worse": "hurts"}
    return f"{part} {words[outcome]}" if outcome in words else f"{part}: {_spell_doubt(outcome)}"


def _claim_row(row: ResultRow, baseline: ResultRow, outcome: Outcome) -> str:
    if outcome in ("better", "worse"):
        return f"{row.label} is {outcome} than {baseline.label}"
    if outcome == OTHER_CLASS:
        traits = name_deciding_traits([row, baseline]) or "supervision"
        return f"{row.label} against {baseline.label}: no verdict, as they are of two protocol classes (other {traits})"
    return f"{row.label} against {baseline.label}: {_spell_doubt(outcome)}"


def _spell_doubt(outcome: Outcome) -> str:
    return "decided on its own, not after the correction for all comparisons" if outcome == "alone" else "not decided"


def _count(paired: PairedDifference | PooledDifference) -> str:
    """Return the number of splits, seeds and images behind a difference."""
    images = f"{paired.images} images"
    if isinstance(paired, PooledDifference):
        number = len(paired.splits)
        return f"{number} split{'s' * (number > 1)}, {images}"
    seeds = " and ".join(map(str, sorted(set(paired.seeds))))
    return f"one split, {seeds} seed{'s' * (seeds != '1')}, {images}"
