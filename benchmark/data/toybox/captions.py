"""Captions of toybox images, as CLIP's pre-training reads them."""

from __future__ import annotations

from benchmark.core.seeding import KeyedRandom
from benchmark.data.toybox.things import THINGS

OPENINGS = ("a picture of", "a photo of", "a drawing of", "a small picture of", "a scene with", "there is")


def draw_caption(draws: KeyedRandom, tags: tuple[str, ...]) -> str:
    """Draw a sentence that names every tag once, in random order.

    Raises:
        ValueError: There is no tag.
    """
    if not tags:
        raise ValueError("a caption needs at least one tag, got none")
    *others, last = [_add_article(draws, name) for name in draws.sample(tags, len(tags))]
    listed = f"{', '.join(others)} and {last}" if others else last
    return f"{draws.pick(OPENINGS)} {listed}"


def _add_article(draws: KeyedRandom, name: str) -> str:
    return f"a {name}" if name in THINGS and draws.draw_bool(60) else name
