"""Choice of images: by name, the first ones, or all."""

from __future__ import annotations

import re
from collections.abc import Sequence

from benchmark.utils.did_you_mean import explain_unknown_name

FIRST, ALL = "first", "all"
_FIRST = re.compile(r"first[ =:]?(\d+)")


def name_images(text: str, image_ids: Sequence[str]) -> list[str]:
    """Return the images that a user names.

    Args:
        text: "all", "first N", or ids of images separated by commas.
        image_ids: Ids of all images, in order.

    Raises:
        KeyError: An image is unknown; the message names the nearest.
        ValueError: The text names no image, or says "first" without a number.
    """
    text = text.strip()
    if text == ALL:
        return list(image_ids)
    if match := _FIRST.fullmatch(text):
        if not int(match[1]):
            raise ValueError("the first 0 images are none: give a number from 1 on")
        return list(image_ids[: int(match[1])])
    known = set(image_ids)
    if text.partition(" ")[0] == FIRST and text not in known:
        raise ValueError(f"images are {text!r}: the first ones are 'first N' with a number N from 1 on")
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise ValueError(f"images are {text!r}: give ids with commas, 'first N' or all")
    for name in names:
        if name not in known:
            some = explain_unknown_name("image", name, image_ids).partition(" There are")[0]
            raise KeyError(f"{some} There are {len(image_ids)}: {image_ids[0]} to {image_ids[-1]}; or: first N, all")
    return names


def describe_missing_images(text: str, image_ids: Sequence[str]) -> str:
    """Return one line that there are fewer images than the "first N" asks for; empty if there are enough."""
    match = _FIRST.fullmatch(text.strip())
    if match is None or int(match[1]) <= len(image_ids):
        return ""
    return f"{text.strip()!r} are all {len(image_ids)} scored images: there are no more"
