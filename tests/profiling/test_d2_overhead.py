"""Tests of the overhead of the engine on Detectron2."""

from __future__ import annotations

import pytest

pytest.importorskip("detectron2", reason="Detectron2 is not installed")

from benchmark.core.budget import Budget
from benchmark.d2.engine.detectron2_engine import Detectron2Engine
from benchmark.profiling.engine_overhead import PERIOD, EmptyMethod, measure_overhead


def test_the_engine_on_detectron2_can_be_measured() -> None:
    overhead = measure_overhead(
        EmptyMethod(), [[]], engine=Detectron2Engine(), budget=Budget(iterations=2 * PERIOD + 1)
    )
    assert len(overhead.bare_ms) == len(overhead.engine_ms) == 1
