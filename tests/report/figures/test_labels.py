"""Tests of texts on figures: shown as written, never hidden, never mathematics, told apart, and with a known font."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import matplotlib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from benchmark.core.protocol_class import Targets
from benchmark.report.figures import style
from benchmark.report.figures.glyphs import find_missing, show_text
from benchmark.report.figures.hiou_bars import draw_bars
from benchmark.report.figures.short_labels import list_label_key, shorten_labels, wrap_labels
from benchmark.report.figures.study_figures import describe_left_out, draw_all, name_folders
from benchmark.report.figures.style import draw_legend, draw_legend_below, open_figure
from benchmark.report.rows import read_rows
from benchmark.report.study_results import collect_results
from benchmark.report.tables.headers import describe_supervision
from benchmark.store.store import Store
from tests.report.world import even, plan_of, save, spec_of

LABELS = ("_no SGD", "$10 vs $20", "Ba$$in", r"$\foo$", "漢字", "x" * 200, "one\ntwo\x1b", "a & b <c> {d} #1 %")
TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60)


def list_texts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that gets every text of every figure that is saved from now on."""
    texts: list[str] = []
    save_figure = Figure.savefig

    def save_and_list(figure: Figure, *arguments: Any, **options: Any) -> None:
        save_figure(figure, *arguments, **options)
        texts.extend(text.get_text() for text in figure.findobj(Text) if text.get_visible())

    monkeypatch.setattr(Figure, "savefig", save_and_list)
    return texts


def test_every_label_is_on_every_figure_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, ids = Store(tmp_path / "runs"), {}
    counts = replace(even(80, 60), classes=("gr$ass$", "_water", r"$\cup$", "fish_{x}"))
    for index, label in enumerate(LABELS):
        ids[label] = {0: save(store, spec_of(f"v{index}"), counts)}
        store.run(ids[label][0]).append_losses(0, {r"_$\loss$": 1.0, "b": 2.0})
    texts = list_texts(monkeypatch)
    paths = draw_all(collect_results(read_rows(store, plan_of(ids))), store, tmp_path, formats=["png"])
    assert len(paths) == 7
    shown = " ".join(" ".join(texts).split())
    for text, times in {"_no SGD": 5, "$10 vs $20": 5, "Ba$$in": 5, r"$\foo$": 5, "<U+6F22><U+5B57>": 5}.items():
        assert shown.count(text) >= times, text
    assert all(name in texts for name in ("gr$ass$", "_water", r"$\cup$*", "fish_{x}*", r"_$\loss$"))


def test_characters_that_the_font_does_not_have_are_noted(tmp_path: Path) -> None:
    store = Store(tmp_path)
    rows = read_rows(store, plan_of({"漢 γ": {0: save(store, spec_of(), even(80, 60))}}))  # noqa: RUF001
    (note,) = describe_left_out(collect_results(rows))
    assert note.startswith("the font of the figures has no 漢: labels have code points") and "<U+6F22>" in note
    assert show_text("漢 ±") == "<U+6F22> ±" and find_missing("±漢漢") == ["漢"]


@settings(max_examples=25, deadline=None)
@given(TEXTS)
def test_any_text_can_be_a_legend_a_tick_and_a_title(text: str) -> None:
    with matplotlib.rc_context():
        matplotlib.rcParams.update(style._RC)
        figure = Figure(figsize=(3, 2))
        axes = figure.add_subplot()
        axes.set_yticks([0.5], wrap_labels([text]))
        axes.set_title(show_text(text))
        (short,) = shorten_labels([text])
        legend = draw_legend(figure, [Line2D([], [], label=short)])
        FigureCanvasAgg(figure).draw()  # a warning would be an error
    assert [entry.get_text() for entry in legend.get_texts()] == [short]


@given(st.lists(TEXTS, min_size=2, max_size=5, unique=True))
def test_short_labels_of_different_labels_differ(labels: list[str]) -> None:
    for label, other in pairwise(labels):
        first, second = shorten_labels([label * 9, other * 9], width=12)
        assert first != second or label * 9 == other * 9


@pytest.mark.parametrize(
    ("label", "short"),
    [
        ("no CSH", "no CSH"),
        ("very long label with many words that goes on", "very long label … that goes on"),
        ("x" * 40 + "A", "x" * 17 + "…" + "x" * 15 + "A"),
    ],
)
def test_a_long_label_loses_its_middle(label: str, short: str) -> None:
    assert shorten_labels([label]) == [short]


def test_labels_that_differ_in_the_middle_keep_what_differs() -> None:
    labels = [f"A label of many words with a variant {name} in the middle and the same end again" for name in "xy"]
    assert shorten_labels(labels) == ["A label of…x in the middle and th…", "A label of…y in the middle and th…"]
    first, second = (text.replace("\n", " ") for text in wrap_labels(labels))
    assert "…x in the" in first and "…y in the" in second


@pytest.mark.parametrize("name", ["Chimera-Seg", "A variant with a long name"])
def test_labels_of_a_sweep_keep_every_value(name: str) -> None:
    pairs = [(weight, end) for weight in ("0.5", "1", "2") for end in ("0.1", "0.3")]
    labels = [f"{name} [sgd.weight={weight}, sgd.keep_end={end}]" for weight, end in pairs]
    ends = [f"[weight={weight}, keep_end={end}]" for weight, end in pairs]
    for shown in (shorten_labels(labels), shorten_labels(labels, width=22), wrap_labels(labels)):
        assert all(" ".join(text.split()).endswith(end) for text, end in zip(shown, ends, strict=True)), shown
        assert all(text.startswith(name[:3]) for text in shown)


def test_keys_that_differ_in_their_paths_alone_keep_them() -> None:
    first, second = shorten_labels([f"paper [{part}.weight=1, size.height=224]" for part in ("sgd", "csh")])
    assert first == "paper [sgd.weight=1, height=224]" and second == "paper [csh.weight=1, height=224]"


def test_one_character_that_the_font_does_not_have_tells_labels_apart() -> None:
    first, second = shorten_labels(["漢" * 9 + "一" + "漢" * 9, "漢" * 9 + "二" + "漢" * 9])
    assert "<U+4E00>" in first and "<U+4E8C>" in second


def test_the_key_names_labels_that_only_a_number_tells_apart() -> None:
    labels = ["A" * 30 + "b" + "A" * 30, "A" * 30 + "c" + "A" * 30, "short"]
    assert list_label_key(labels, ["A…A", "A…A (2)", "short"]) == [
        f"'A…A' is '{labels[0]}'",
        f"'A…A (2)' is '{labels[1]}'",
    ]


def test_a_wrapped_label_has_two_lines_and_keeps_its_end() -> None:
    (text,) = wrap_labels(["no CSH, two-layer MLP, value-path start, budget.iterations=2000"])
    lines = text.split("\n")
    assert len(lines) == 2 and lines[1].endswith("budget.iterations=2000") and max(map(len, lines)) <= 24


def test_a_legend_below_has_the_columns_that_fit_and_adds_to_the_height(tmp_path: Path) -> None:
    heights = {}
    for length in (5, 60):
        with open_figure(tmp_path, "x", size=(7, 2), formats=["svg"]) as figure:
            draw_legend_below(figure, [Line2D([], [], label="m" * length) for _ in range(8)])
            heights[length] = figure.get_figheight()
    assert heights == {5: pytest.approx(2 + 0.14), 60: pytest.approx(2 + 0.14 * 7)}  # two lines, and eight


def test_folders_of_splits_are_different_and_plain() -> None:
    names = ["voc12", "toybox (all images)", "toybox (first 4 images)", "漢", "字", "../x"]
    assert name_folders(names) == [
        "voc12", "toybox-all-images", "toybox-first-4-images", "split-1", "split-2", "x"
    ]  # fmt: skip


def test_figures_of_several_splits_are_in_a_folder_each_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "runs")
    plan = plan_of({split: {0: save(store, spec_of(split=split), even(80, 60))} for split in ("toybox", "voc12")})
    rows = tuple(row.model_copy(update={"split": row.label}) for row in plan.rows)
    texts = list_texts(monkeypatch)
    results = collect_results(read_rows(store, plan.model_copy(update={"rows": rows})))
    paths = draw_all(results, store, tmp_path, formats=["svg"])
    assert [path.parent.name for path in paths] == ["toybox"] * 4 + ["voc12"] * 4
    assert texts.count("voc12") == 6  # four titles, and the label of the row on figures that add no number to it


def test_curves_of_a_limited_evaluation_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "runs")
    run = save(store, spec_of(max_images=4), even(80, 60))
    store.run(run).append_losses(0, {"a": 1.0})
    texts = list_texts(monkeypatch)
    draw_all(collect_results(read_rows(store, plan_of({"row": {0: run}}))), store, tmp_path, formats=["svg"])
    assert texts.count("TESTING ONLY: first 4 images of the evaluation set") == 5


def test_supervision_is_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "runs")
    kinds = ("seen_masks", "none", "seen_masks+unseen_names", "tags")
    ids = {
        f"row {kind[:2]}{len(kind)}": {0: save(store, spec_of(kind), even(80, 60), supervision=kind)} for kind in kinds
    }
    texts = list_texts(monkeypatch)
    draw_all(collect_results(read_rows(store, plan_of(ids))), store, tmp_path, formats=["svg"])
    assert {"masks of seen classes", "no training", "image tags"} <= set(texts)
    assert not {"seen_masks", "seen_masks+unseen_names"} & set(texts)


def test_every_kind_of_supervision_has_words() -> None:
    words = {kind: describe_supervision(kind) for kind in get_args(Targets)}
    assert len(set(words.values())) == len(words) and not any("_" in text for text in words.values())


def test_numbers_stand_to_the_right_of_the_axes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "runs")
    ids = {label: {0: save(store, spec_of(label), even(n, n))} for label, n in {"high": 90, "low": 85}.items()}
    rows = read_rows(store, plan_of(ids))
    places: list[tuple[float, object]] = []
    annotate = Axes.annotate

    def annotate_and_list(axes: Axes, text: str, xy: tuple[float, float], *rest: Any, **more: Any) -> object:
        places.append((xy[0], more["xycoords"]))
        return annotate(axes, text, xy, *rest, **more)

    monkeypatch.setattr(Axes, "annotate", annotate_and_list)
    draw_bars(rows, tmp_path, formats=["svg"])
    assert places == [(1, ("axes fraction", "data"))] * 2
