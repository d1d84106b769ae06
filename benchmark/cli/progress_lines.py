"""Progress of long work outside of runs, on images or in stages: a line every few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmark.cli.console import print_note
from benchmark.utils.durations import format_duration

LINES_EVERY_S = 15.0


def show_image_progress(verb: str) -> Callable[[int, int], None]:
    """Return a function that is called with the numbers of images done and of all images, and prints them at times.

    Args:
        verb: What is done to the images, such as "predicted".
    """
    shown = time.monotonic()

    def observe(done: int, total: int) -> None:
        nonlocal shown
        if time.monotonic() - shown >= LINES_EVERY_S:
            shown = time.monotonic()
            print_note(f"{verb} {done} of {total} images")

    return observe


def show_stages(label: str) -> Callable[[str, float], None]:
    """Return a function that is called with the present stage and its seconds so far, and prints them at times.

    Args:
        label: What is worked on.
    """
    shown = time.monotonic()

    def observe(stage: str, seconds: float) -> None:
        nonlocal shown
        if time.monotonic() - shown >= LINES_EVERY_S:
            shown = time.monotonic()
            print_note(f"{label}: {stage}, {format_duration(seconds)}")

    return observe
