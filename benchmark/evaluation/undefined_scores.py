"""Scores that are not defined because no class of a kind is in a scored image, in words."""

from __future__ import annotations

import math

from benchmark.evaluation.counts import Counts
from benchmark.evaluation.scores import Convention, Scores

MAX_NAMES = 4
"""Names of classes that a line lists."""


def explain_lack(counts: Counts, *, is_seen: bool, convention: Convention) -> str:
    """Return why the mean over seen or over unseen classes is not defined, with the names of these classes."""
    names = [name for name, own in zip(counts.classes, counts.seen, strict=True) if own == is_seen]
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    shown = f" ({', '.join(names[:MAX_NAMES])}{more})" if names else ""
    places = "the targets" if convention == "d2-main" else "the targets or predictions"
    return f"no {'seen' if is_seen else 'unseen'} class occurs in {places} of the scored images{shown}"


def describe_undefined_run(counts: Counts, scores: Scores, convention: Convention) -> list[str]:
    """Return one line per kind of classes whose mean is not defined in a run; none if all scores are defined."""
    means = {("S", True): scores.miou_seen, ("U", False): scores.miou_unseen}
    return [
        f"{name} and hIoU are not defined: {explain_lack(counts, is_seen=is_seen, convention=convention)}"
        for (name, is_seen), mean in means.items()
        if math.isnan(mean)
    ]
