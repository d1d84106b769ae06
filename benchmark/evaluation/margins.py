"""Claims of "not worse" and "as good": tests of a difference against a margin, and verdicts in plain words."""

from __future__ import annotations

import math
from dataclasses import dataclass

from benchmark.evaluation.stats import Difference, Interval
from benchmark.evaluation.variation import compute_t_quantile, compute_upper_p


@dataclass(frozen=True)
class MarginTest:
    """Tests of a difference a - b against a margin, each one-sided at the level alpha.

    Attributes:
        difference: Difference that is judged.
        margin: Largest difference that does not matter, in percentage points.
        alpha: Level of each one-sided test.
        interval: Interval of level 1 - 2 alpha, the one that decides.
        non_inferiority_p: p value of a being worse than b by the margin or more.
        equivalence_p: p value of a and b differing by the margin or more.
    """

    difference: Difference
    margin: float
    alpha: float
    interval: Interval
    non_inferiority_p: float
    equivalence_p: float

    @property
    def is_non_inferior(self) -> bool:
        """Whether a is not worse than b by more than the margin."""
        return self.non_inferiority_p < self.alpha

    @property
    def is_equivalent(self) -> bool:
        """Whether a and b differ by less than the margin."""
        return self.equivalence_p < self.alpha


def judge_margin(difference: Difference, margin: float, *, level: float = 0.95) -> MarginTest:
    """Test whether a is not worse than b by more than a margin, and whether both are equivalent within it.

    Equivalence is shown by two one-sided tests (Schuirmann 1987, J. Pharmacokinet. Biopharm. 15, 657-680), each at
    alpha = 1 - level, which is the same as an interval of level 1 - 2 alpha (90 % for alpha = 5 %) within the margin.
    Non-inferiority is the lower one of the two tests (Walker and Nowacki 2011, J. Gen. Intern. Med. 26, 192-196), so
    that what is equivalent is never inferior. Where 2.5 % is the custom for non-inferiority, give level 0.975.

    Args:
        difference: Difference a - b.
        margin: Largest difference that does not matter, in percentage points; chosen before looking at results.
        level: 1 - alpha.

    Raises:
        ValueError: The margin is not positive, or the level is not between 0.5 and 1.
    """
    if not 0 < margin <= 100:
        raise ValueError(f"margin is {margin}, expected percentage points above 0 and up to 100, such as 1.0")
    if not 0.5 < level < 1:
        raise ValueError(f"level is {level}, expected a number between 0.5 and 1 such as 0.95")
    value, error, df = difference.difference, difference.standard_error, difference.df
    lower = compute_upper_p(value + margin, standard_error=error, df=df)
    upper = compute_upper_p(margin - value, standard_error=error, df=df)
    return MarginTest(
        difference=difference,
        margin=margin,
        alpha=1 - level,
        interval=_narrow(difference, level=2 * level - 1),
        non_inferiority_p=lower,
        equivalence_p=max(lower, upper),
    )


def describe_verdict(difference: Difference) -> str:
    """Return what the interval of a difference decides: "not decided", "better by 1.3 to 6.2" or "worse by …"."""
    low, high = difference.interval.low, difference.interval.high
    if difference.difference == 0 and difference.standard_error == 0:
        return "no difference at all"
    if low > 0:
        return f"better by {_format(low)} to {_format(high)}"
    if high < 0:
        return f"worse by {_format(-high)} to {_format(-low)}"
    return "not decided"


def describe_margin_verdict(test: MarginTest) -> str:
    """Return what a margin test decides: "equivalent within ±1.0", "not worse by more than 1.0" or "not decided"."""
    margin = _format(test.margin)
    if test.is_equivalent:
        return f"equivalent within ±{margin}"
    if test.is_non_inferior:
        return f"not worse by more than {margin}"
    if test.interval.high < -test.margin:
        return f"worse by more than {margin}"
    return "not decided"


def _narrow(difference: Difference, *, level: float) -> Interval:
    """Return the interval of a difference at another level."""
    interval = difference.interval
    low, high = -100.0, 100.0
    if math.isfinite(difference.standard_error):
        half_width = compute_t_quantile(difference.df, level) * difference.standard_error
        low, high = difference.difference - half_width, difference.difference + half_width
    return Interval(low, high, level, interval.kind, interval.df, interval.caution)


def _format(points: float) -> str:
    """Return percentage points with a decimal, or more if one shows nothing."""
    return f"{points:.1f}" if round(points, 1) else f"{points:.1g}"
