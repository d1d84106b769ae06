"""Figures of thousands of runs stay fast: no artist, run or history is processed twice."""

from __future__ import annotations

import json
from pathlib import Path
from unittest.mock import Mock

import pytest
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure
from matplotlib.text import Text

from benchmark.evaluation.counts import Counts
from benchmark.report.figures import style
from benchmark.report.figures.class_heatmap import draw_classes
from benchmark.report.figures.gamma_curves import collect_gamma_curves
from benchmark.report.figures.single_pass_figure import SinglePassFigure
from benchmark.report.rows import read_rows
from benchmark.store.store import Store
from tests.report.world import two_rows


class CountedText(Text):
    """Text that counts how often any of its kind was drawn."""

    drawn = 0

    def draw(self, renderer: RendererBase) -> None:
        """Draw the text and count it."""
        CountedText.drawn += 1
        super().draw(renderer)


def draw_text(out: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Figure]) -> tuple[bytes, int]:
    """Return the file of a figure of one kind with a text, and how often the text was drawn."""
    monkeypatch.setattr(style, "SinglePassFigure", kind)
    before = CountedText.drawn
    with style.open_figure(out, "text", size=(3, 2), formats=["svg"]) as figure:
        figure.subplots().add_artist(CountedText(0.5, 0.5, "text"))
    return (out / "text.svg").read_bytes(), CountedText.drawn - before


def test_an_artist_is_drawn_once_and_the_file_is_that_of_a_plain_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, once = (draw_text(tmp_path, monkeypatch, kind) for kind in (Figure, SinglePassFigure))
    assert plain[0] == once[0] and (plain[1], once[1]) == (2, 1)


def test_the_counts_of_every_run_are_swept_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = read_rows(store := Store(tmp_path), two_rows(store))
    sweep = Mock(side_effect=Counts.sweep_gammas)
    monkeypatch.setattr(Counts, "sweep_gammas", lambda counts: sweep(counts))
    assert len(collect_gamma_curves(rows)) == 2
    swept = [call.args[0].digest() for call in sweep.call_args_list]
    assert sorted(swept) == sorted(counts.digest() for row in rows for counts in row.counts)


def test_numbers_in_a_heat_map_are_not_measured_for_the_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measure = Mock(side_effect=Text.get_tightbbox)
    monkeypatch.setattr(Text, "get_tightbbox", lambda text, *options: measure(text, *options))
    draw_classes(read_rows(store := Store(tmp_path), two_rows(store)), tmp_path, formats=["svg"])
    assert not [call.args[0].get_text() for call in measure.call_args_list if call.args[0].get_text().isdigit()]


def test_a_history_without_broken_lines_is_parsed_in_one_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, parse = Store(tmp_path).run("run"), Mock(wraps=json.loads)
    for at in range(5):
        run.append_losses(at, {"pixel": 0.5})
    monkeypatch.setattr(json, "loads", parse)
    assert [entry["iteration"] for entry in run.read_losses()] == [0, 1, 2, 3, 4] and parse.call_count == 1
