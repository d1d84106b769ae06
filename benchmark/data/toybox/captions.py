"""Captions for toybox pictures: what CLIP's pre-training reads."""

from __future__ import annotations

from benchmark.core.seeding import KeyedRandom
from benchmark.data.toybox.things import THINGS

OPENINGS = ("a picture of", "a photo of", "a drawing of", "a small picture of", "a scene with", "there is")


def _spoken(draws: KeyedRandom, name: str) -> str:
    return f"a {name}" if name in THINGS and draws.chance(60) else name


def caption(draws: KeyedRandom, tags: tuple[str, ...]) -> str:
    """One sentence that names every tag once, in random order.

    Raises:
        ValueError: if there is nothing to name.
    """
    if not tags:
        raise ValueError("a caption needs at least one tag, and this picture has none")
    *others, last = [_spoken(draws, name) for name in draws.sample(tags, len(tags))]
    listed = f"{', '.join(others)} and {last}" if others else last
    return f"{draws.pick(OPENINGS)} {listed}"
