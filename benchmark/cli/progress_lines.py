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
    show = _limit_lines()
    return lambda done, total: show(f"{verb} {done} of {total} images")


def show_stages(label: str) -> Callable[[str, float], None]:
    """Return a function that is called with the present stage and its seconds so far, and prints them at times.

    Args:
        label: What is worked on.
    """
    show = _limit_lines()
    return lambda stage, seconds: show(f"{label}: {stage}, {format_duration(seconds)}")


def _limit_lines() -> Callable[[str], None]:
    """Return a function that prints a line if the one before it, or this call, is `LINES_EVERY_S` ago."""
    shown_s = time.monotonic()

    def show(line: str) -> None:
        nonlocal shown_s
        if time.monotonic() - shown_s >= LINES_EVERY_S:
            shown_s = time.monotonic()
            print_note(line)

    return show
