"""Pipelines of other frameworks that `data speed` measures beside ours, as far as they are installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark.cli.console import print_note
from benchmark.utils.optional_packages import require_detectron2

if TYPE_CHECKING:
    from benchmark.core.protocol import TrainTransform
    from benchmark.profiling.opencv_pipeline import AugmentPair


def make_peers(rules: TrainTransform) -> dict[str, AugmentPair]:
    """Return the pipelines by name; a note says which one is missing and why."""
    from benchmark.profiling.opencv_pipeline import make_opencv_pipeline

    peers: dict[str, AugmentPair] = {}
    try:
        peers["mmsegmentation's steps (OpenCV)"] = make_opencv_pipeline(rules)
    except ImportError as error:
        print_note(f"mmsegmentation's steps skipped: {error}; pip install opencv-python-headless")
    try:
        require_detectron2()
    except ValueError as error:
        print_note(f"Detectron2's mapper skipped: {error}")
        return peers
    from benchmark.d2.mapper_speed import make_mapper_pipeline

    peers["Detectron2's DatasetMapper"] = make_mapper_pipeline(rules)
    return peers
