"""Lines of equal hIoU: from border to border of the figure, and none that only touches it."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark.report.figures.hiou_levels import draw_levels


@pytest.fixture
def axes() -> Axes:
    axes = Figure().add_subplot()
    axes.set(xlim=(5.4, 73), ylim=(65.6, 78.2))
    draw_levels(axes)
    return axes


def test_lines_of_equal_hiou_run_from_border_to_border(axes: Axes) -> None:
    for line in axes.lines:
        unseen, seen = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
        hiou = 2 * seen * unseen / (seen + unseen)
        assert hiou == pytest.approx(round(hiou[0]))
        assert seen[0] == pytest.approx(78.2)
        assert seen.min() == pytest.approx(max(65.6, seen[-1])) and unseen.max() <= 73
        assert seen[-1] == pytest.approx(65.6) or unseen[-1] == pytest.approx(73)


def test_a_line_that_only_touches_the_figure_has_no_value(axes: Axes) -> None:
    assert [text.get_text() for text in axes.texts] == ["20", "30", "40", "50", "60", "70"]
