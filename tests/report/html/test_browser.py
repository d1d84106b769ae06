"""Tests of the page in a real browser: sorting, filtering, columns, comparisons, images, details, narrow screens."""

from __future__ import annotations

from typing import Any

import pytest

from tests.report.html.pages import CHROMIUM, HOSTILE, Script, make_page, run_in_browser

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")

WIDTHS = (320, 390, 1200)
HELPERS = """
const labels = () => [...document.querySelectorAll("#results tbody tr:not([hidden]) .open")].map((one) => one.textContent);
const press = (element, key) => element.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
const header = (text) => [...document.querySelectorAll("#results thead button")].find((one) => one.textContent === text);
const change = (id, value) => {
  find(id).value = value;
  for (const name of ["input", "change"]) find(id).dispatchEvent(new Event(name, {bubbles: true}));
};
"""  # noqa: E501
SCRIPTS = {
    "sort": """
        const button = header("hIoU"), th = button.closest("th"), seen = [];
        for (let times = 0; times < 3; times++) { button.click(); seen.push([th.getAttribute("aria-sort"), labels()]); }
        return seen;""",
    "sort-rounded": """
        const at = headers.findIndex((one) => one.textContent.trim() === "p");
        const cells = [...body.rows].map((row) => row.cells[at]);
        const values = [0.00099, 0.00002, 0.001], texts = ["<0.001", "<0.001", "0.001"];
        const all = cells.map((cell) => cell.dataset.value ?? null);
        cells.forEach((cell, row) => { cell.dataset.value = values[row]; cell.textContent = texts[row]; });
        headers[at].querySelector("button").click();
        return [all, [...body.rows].map((row) => Number(row.dataset.row))];""",
    "filter": """
        change("filter", "sgd"); const first = [labels(), find("shown").textContent];
        change("filter", "-sgd -script"); return [first, labels()];""",
    "copy": """
        for (const box of document.querySelectorAll("#columns input")) {
          if (box.checked !== (box.parentElement.textContent.trim() === "hIoU")) box.click();
        }
        change("filter", "-script");
        return [formatMarkdown(), formatLatex(), getComputedStyle(header("mIoU(S)").closest("th")).display];""",
    "details": """
        document.querySelector("#results .open").click();
        return [panel.open, find("panel-title").textContent, panel.querySelectorAll("tbody tr").length,
                panel.querySelector(".command").textContent];""",
    "classes": """
        const read = () => Object.fromEntries([...document.querySelectorAll("#dumbbells tbody tr")].map((row) =>
          [row.cells[0].textContent + " " + row.cells[1].textContent, Number(row.cells[4].textContent)]));
        change("class-a", "0"); change("class-b", "1"); const first = read();
        const caption = find("dumbbells").caption.textContent;
        find("class-swap").click(); return [first, read(), caption];""",
    "ink": """
        const kept = (element, part) => getComputedStyle(element, part).printColorAdjust;
        const marks = [".bar", ".a", ".b"].map((name) => kept(document.querySelector(`.track ${name}`)));
        return [...marks, ...["a", "b"].map((side) => kept(document.querySelector(`.key-${side}`), "::before"))];""",
    "images": """
        const shown = () => [find("image-view").querySelector("h3").textContent,
                             list.getAttribute("aria-activedescendant")];
        const first = shown(); press(list, "ArrowDown"); const second = shown();
        press(list, "End"); const last = shown();
        change("image-class", "2"); return [first, second, last, find("image-count").textContent];""",
    "theme": """
        const color = () => getComputedStyle(document.body).backgroundColor;
        const click = () => { find("theme").click(); return color(); };
        return [click(), click(), find("theme").textContent];""",
    "tip": 'header("hIoU").focus(); return [find("tip").hidden, find("tip").textContent];',
    "hostile": "return [labels()[2], data.rows[2].label, data.rows.length];",
}
WIDE = """
    const isFree = (one) => !one.closest(".scroll, dialog, #image-list, .skip");
    const wide = [...document.querySelectorAll("body *")].filter((one) => isFree(one)
      && one.getBoundingClientRect().right > innerWidth + 1).map((one) => one.outerHTML.slice(0, 80));
    return [innerWidth, document.documentElement.scrollWidth, wide];"""


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Values of all scripts, run in one browser."""
    page = make_page(tmp_path_factory.mktemp("runs"))
    scripts = {name: Script(HELPERS + body) for name, body in SCRIPTS.items()}
    scripts |= {f"wide{width}": Script(WIDE, width) for width in WIDTHS}
    return run_in_browser(page, tmp_path_factory.mktemp("pages"), scripts)


def test_a_header_sorts_and_says_so(values: dict[str, Any]) -> None:
    falling, rising, none = values["sort"]
    assert falling == ["descending", ["paper", "no SGD", HOSTILE]]
    assert rising == ["ascending", ["no SGD", "paper", HOSTILE]]
    assert none == ["none", ["paper", "no SGD", HOSTILE]]


def test_numbers_are_sorted_before_they_are_rounded(values: dict[str, Any]) -> None:
    (baseline, p_value, failed), order = values["sort-rounded"]
    assert (baseline, failed) == (None, None) and 0 < float(p_value) < 1 and len(p_value) > len("0.001")
    assert order == [2, 0, 1]


def test_a_filter_keeps_rows_with_its_words(values: dict[str, Any]) -> None:
    (kept, count), others = values["filter"]
    assert (kept, count, others) == (["no SGD"], "1 of 3 rows", ["paper"])


def test_columns_are_chosen_and_copied(values: dict[str, Any]) -> None:
    markdown, latex, display = values["copy"]
    assert markdown.splitlines()[:2] == ["| Method | hIoU |", "| :-- | --: |"]
    assert markdown.splitlines()[2].startswith("| paper | **") and "no SGD" in markdown.splitlines()[3]
    assert "\\begin{tabular}{lr}" in latex and "$\\pm$" in latex and display == "none"


def test_a_row_opens_its_runs(values: dict[str, Any]) -> None:
    is_open, title, runs, command = values["details"]
    assert (is_open, title, runs) == (True, "paper", 3)
    assert command.startswith("chimera-bench run demo/paper --split toybox") and "--seed 2" in command


def test_two_rows_are_compared_class_by_class(values: dict[str, Any]) -> None:
    first, swapped, caption = values["classes"]
    assert set(first) == {"grass seen", "water seen", "cup unseen", "fish unseen"} and first["cup unseen"] > 0
    assert first == {name: -difference for name, difference in swapped.items()}
    assert "A: paper, B: no SGD" in caption


def test_marks_and_keys_of_classes_are_printed_without_backgrounds(values: dict[str, Any]) -> None:
    assert values["ink"] == ["exact"] * 5


def test_images_are_browsed_with_the_keyboard(values: dict[str, Any]) -> None:
    first, second, last, count = values["images"]
    assert (first[1], second[1], last[1]) == ("image-0", "image-1", "image-3")
    assert len({first[0], second[0], last[0]}) == 3 and count == "4 of 4 images"


def test_the_theme_is_switched(values: dict[str, Any]) -> None:
    light, dark, text = values["theme"]
    assert light == "rgb(255, 255, 255)" and dark != light and text == "Theme: dark"


def test_a_header_explains_itself_on_focus(values: dict[str, Any]) -> None:
    is_hidden, text = values["tip"]
    assert not is_hidden and text.startswith("Harmonic mean")


@pytest.mark.parametrize("width", WIDTHS)
def test_a_page_never_scrolls_sideways(values: dict[str, Any], width: int) -> None:
    inner, scrolled, wide = values[f"wide{width}"]
    assert inner == width and scrolled <= width and wide == []


def test_hostile_labels_are_texts(values: dict[str, Any]) -> None:
    assert values["hostile"] == [HOSTILE, HOSTILE, 3]
