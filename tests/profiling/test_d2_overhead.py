"""What Detectron2's trainer adds to a step."""

from __future__ import annotations

import pytest

pytest.importorskip("detectron2", reason="Detectron2 is not installed")

from benchmark.core.budget import Budget
from benchmark.d2.engine.detectron2_engine import Detectron2Engine
from benchmark.profiling.engine_overhead import PERIOD, Empty, measure


def test_the_engine_on_detectron2_can_be_timed() -> None:
    found = measure(Empty(), [[]], engine=Detectron2Engine(), budget=Budget(iterations=2 * PERIOD + 1))
    assert len(found.bare_ms) == len(found.engine_ms) == 1
