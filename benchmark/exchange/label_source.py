"""Label maps of images that another program predicted, in one of the formats that are read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Protocol

from benchmark.exchange.class_ids import Labels


class LabelSource(Protocol):
    """Label maps by image id."""

    @property
    def path(self) -> Path:
        """Folder or file that was given."""

    @property
    def image_ids(self) -> Collection[str]:
        """Ids of the images that have a label map."""

    @property
    def kind(self) -> str:
        """What was found, in words, such as "170 label maps"."""

    def read(self, image_id: str, size: tuple[int, int]) -> Labels:
        """Return the classes of an image's pixels.

        Args:
            image_id: Id of the image.
            size: Height and width of its target.

        Raises:
            ValueError: The label map is broken, has another size, or an id without a meaning; the message names it.
        """

    def digest_files(self, image_ids: Collection[str]) -> Mapping[str, str]:
        """Return the SHA-256 of each file that holds label maps of these images, by path relative to the folder."""
