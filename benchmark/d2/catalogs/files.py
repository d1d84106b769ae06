"""Label maps and images of splits as PNG files that Detectron2 opens by address, encoded when they are opened."""

from __future__ import annotations

import io
from typing import IO, Any

from detectron2.utils.file_io import PathHandler
from PIL import Image

from benchmark.d2.catalogs.catalog import LABELS, PREFIX, parse_address


class SplitPathHandler(PathHandler):  # type: ignore[misc]
    """Handler that opens `chimera://<split>/<subset>/<labels or image>/<index>.png` for reading.

    Labels are grayscale, with 8 bits up to 255 classes and 16 bits above. An 8-bit grayscale PNG is the only kind of
    mask that `DatasetMapper`, which converts masks, and `SemSegEvaluator`, which does not, read identically.
    """

    def _get_supported_prefixes(self) -> list[str]:
        return [PREFIX]

    def _open(self, path: str, mode: str = "r", buffering: int = -1, **_: Any) -> IO[bytes]:
        """Open a file; raises FileNotFoundError for unknown addresses and the errors of `SplitSubset.read_labels`."""
        if mode != "rb":
            raise ValueError(f"{path} is opened with mode {mode!r}, expected 'rb': addresses are read-only")
        subset, kind, index = parse_address(path)
        content = io.BytesIO()
        pixels = subset.read_labels(index) if kind == LABELS else subset.read_image(index)
        Image.fromarray(pixels).save(content, "PNG", compress_level=1)  # read once and immediately
        content.seek(0)
        return content

    def _exists(self, path: str, **_: Any) -> bool:
        return self._isfile(path)

    def _isfile(self, path: str, **_: Any) -> bool:
        try:
            subset, _kind, index = parse_address(path)
        except FileNotFoundError:
            return False
        return index < subset.dataset.size(subset.subset)
