"""Tests of the heat map of classes: readable numbers, and memory for many rows."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure

from benchmark.report.figures.class_heatmap import _draw_group, measure_luminance


def test_numbers_are_black_on_light_cells_and_white_on_dark_ones() -> None:
    axes = Figure().add_subplot()
    _draw_group(axes, np.array([[20.0, 60.0, 90.0]]), ["a", "b", "c"], width=1.0)
    assert [text.get_color() for text in axes.texts] == ["white", "black", "black"]


def test_the_luminance_of_a_color_is_that_of_wcag() -> None:
    assert measure_luminance((1.0, 1.0, 1.0)) == pytest.approx(1)
    assert measure_luminance((0.5, 0.5, 0.5)) == pytest.approx(0.2140, abs=1e-4)  # ((0.5 + 0.055) / 1.055) ** 2.4


def test_rows_are_drawn_without_a_canvas_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr(RendererAgg, "__init__", lambda self, *size: made.append(size))
    _draw_group(Figure().add_subplot(), np.zeros((50, 2)), ["a", "b"], width=1.0)
    assert made == []
