"""Renaming of the tensors of a published checkpoint by regular expressions, strict in both directions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from torch import Tensor

Rule = tuple[str, str | None]
"""Regular expression of a whole official name, and our name with groups as \\1; None leaves the tensor out."""

SHOWN_NAMES = 3
"""Number of unknown names that an error shows."""
CUTOFF = 0.5
"""Least similarity of the nearest expected name, from 0 to 1."""
GROUP = re.compile(
    r"\((?:\?:|\?P<\w+>)?(?P<text>(?:\\.|[^()\\|])*)(?P<choice>\|(?:\\.|[^()\\])*)?\)(?P<repeated>[*+?])?"
)
"""An innermost group of a regular expression."""


def rename_tensors(
    official: Mapping[str, Tensor], rules: Sequence[Rule], *, source: str = "the official checkpoint of this method"
) -> dict[str, Tensor]:
    """Return the tensors of a published checkpoint under our names.

    The first rule whose expression matches the whole name is applied. A rule that gives a name must match at least one
    tensor; a rule that leaves tensors out need not.

    Args:
        official: Tensors of any shape by official name.
        rules: Rules, the more special ones first. A comment beside a rule without a name says why it has none.
        source: Description of the expected file for error messages, such as "ZegCLIP's iter_20000.pth".

    Returns:
        The same tensors by our names, in the order of the file.

    Raises:
        ValueError: A name is unknown, nothing is named like a rule, or two tensors get one name; the message says how
            many, the first of them, and the nearest expected name.
    """
    compiled = [(re.compile(pattern), replacement) for pattern, replacement in rules]
    renamed: dict[str, Tensor] = {}
    unknown: list[str] = []
    unused = {pattern for pattern, replacement in rules if replacement is not None}
    for name, tensor in official.items():
        match, replacement = next(
            ((found, text) for expression, text in compiled if (found := expression.fullmatch(name))), (None, None)
        )
        if match is None:
            unknown.append(name)
            continue
        unused.discard(match.re.pattern)
        if replacement is None:
            continue
        new_name = match.expand(replacement)
        if new_name in renamed:
            raise ValueError(f"two tensors of the file become {new_name}, the second is {name}: correct the rules")
        renamed[new_name] = tensor
    _check_complete(official, rules, unknown=unknown, unused=unused, source=source)
    return renamed


def _check_complete(
    official: Mapping[str, Tensor], rules: Sequence[Rule], *, unknown: Sequence[str], unused: set[str], source: str
) -> None:
    """Refuse a file with unknown names, or without the names that a rule is for."""
    problems = []
    if unknown:
        shown = ", ".join(unknown[:SHOWN_NAMES]) + (", …" if len(unknown) > SHOWN_NAMES else "")
        nearest = _find_nearest(unknown[0], (pattern for pattern, _ in rules))
        hint = f"; nearest expected to the first: {nearest}" if nearest else ""
        problems.append(f"{len(unknown)} of {len(official)} tensors are unknown ({shown}{hint})")
    if unused:
        missing = [_write_plainly(pattern) for pattern, _ in rules if pattern in unused]
        shown = ", ".join(missing[:SHOWN_NAMES]) + (", …" if len(missing) > SHOWN_NAMES else "")
        problems.append(f"nothing is named {shown}")
    if problems:
        raise ValueError(f"the file is not {source}: {', and '.join(problems)}")


def _find_nearest(name: str, patterns: Iterable[str]) -> str:
    """Return the expected name that is most like an unknown one, with N for numbers; empty if none is like it."""
    plain = [_write_plainly(pattern) for pattern in patterns]
    return next(iter(get_close_matches(re.sub(r"\d+", "N", name), plain, n=1, cutoff=CUTOFF)), "")


def _write_plainly(pattern: str) -> str:
    """Return a regular expression as a name that people read, with N for a number and … for any other text."""
    text = re.sub(r"\\d[+*]?", "N", pattern)
    text = re.sub(r"(\\[wWsSD]|\[[^\]]*\]|(?<!\\)\.(?=[*+?]))[*+?]?", "…", text)
    while GROUP.search(text):
        text = GROUP.sub(lambda group: "…" if group["choice"] or group["repeated"] else group["text"], text)
    text = re.sub(r"\\?[^…][*+?]", "…", text)  # a character that is optional or repeated
    return re.sub("…+", "…", re.sub(r"\\(.)", r"\1", text))
