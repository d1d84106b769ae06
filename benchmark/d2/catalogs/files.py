"""Label maps and pictures of splits as PNG files that Detectron2 opens by address, made at that step_context."""

from __future__ import annotations

import io
from typing import IO, Any

from detectron2.utils.file_io import PathHandler
from PIL import Image

from benchmark.d2.catalogs.catalog import LABELS, PREFIX, at_address


class SplitFiles(PathHandler):  # type: ignore[misc]
    """Opens `chimera://<split>/<part>/<labels or picture>/<index>.png` for reading.

    Labels are grey, 8 bits up to 255 classes and 16 above: a grey PNG of 8 bits is the one kind of mask that
    `DatasetMapper` (which converts) and `SemSegEvaluator` (which does not) read alike.
    """

    def _get_supported_prefixes(self) -> list[str]:
        return [PREFIX]

    def _open(self, path: str, mode: str = "r", buffering: int = -1, **_: Any) -> IO[bytes]:
        """The file. Raises FileNotFoundError for an address that names nothing, else like `View.labels`."""
        if mode != "rb":
            raise ValueError(f"{path} is opened with mode {mode!r}, expected 'rb': it is made when it is read")
        view, kind, index = at_address(path)
        content = io.BytesIO()
        pixels = view.labels(index) if kind == LABELS else view.picture(index)
        Image.fromarray(pixels).save(content, "PNG", compress_level=1)  # it is read once, and at once
        content.seek(0)
        return content

    def _exists(self, path: str, **_: Any) -> bool:
        return self._isfile(path)

    def _isfile(self, path: str, **_: Any) -> bool:
        try:
            view, _kind, index = at_address(path)
        except FileNotFoundError:
            return False
        return index < view.dataset.size(view.part)
