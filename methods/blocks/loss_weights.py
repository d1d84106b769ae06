"""Check of configs whose losses can be switched off one by one, but not all at once."""

from __future__ import annotations

from benchmark.core.method import Config


def check_any_weight(config: Config, *names: str, prefix: str = "") -> None:
    """Check that one of several weights is above 0.

    Args:
        config: Config that has the weights.
        names: Fields of the weights, at least two.
        prefix: Beginning of the names in the message, such as "loss.".

    Raises:
        ValueError: All of them are 0.
    """
    if any(getattr(config, name) for name in names):
        return
    *others, last = [f"{prefix}{name}" for name in names]
    number = "both" if len(names) == 2 else "all"
    raise ValueError(f"{', '.join(others)} and {last} are {number} 0, expected one above 0")
