"""Tests of the page as text: one file, escaped, in order, accessible, the same bytes for the same runs."""

from __future__ import annotations

import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest

from benchmark.core.run_record import Failure
from benchmark.report.html.embedded_images import ClassColor, EmbeddedImage, EmbeddedImages
from benchmark.report.html.page import dump_data, render_page
from benchmark.store.store import Store
from tests.report.compute.spent import begin
from tests.report.html.pages import HOSTILE, make_page, make_report, study_of_three
from tests.report.world import plan_of, plan_splits, save, save_splits, spec_of, two_rows

SECTIONS = [
    "verdicts",
    "differences",
    "table",
    "plane",
    "classes",
    "images",
    "ranks",
    "failures",
    "training",
    "cost",
    "compute",
    "limits",
]
VOID = {"meta", "link", "input", "img", "br", "path", "use"}


class Outline(HTMLParser):
    """Elements of a page: ids, attributes by tag, and tags that are not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.unbalanced: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    return make_page(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def outline(page: str) -> Outline:
    return Outline(page)


def test_sections_are_in_order_and_have_headings(outline: Outline) -> None:
    sections = [attributes for tag, attributes in outline.elements if tag == "section"]
    assert [attributes["id"] for attributes in sections] == SECTIONS
    ids = {attributes.get("id") for _, attributes in outline.elements}
    assert {attributes["aria-labelledby"] for attributes in sections} <= ids


def test_elements_are_closed_and_ids_differ(outline: Outline) -> None:
    ids = Counter(attributes["id"] for _, attributes in outline.elements if "id" in attributes)
    assert outline.unbalanced == [] and outline.open == []
    assert [name for name, times in ids.items() if times > 1] == []


def test_a_page_loads_nothing(page: str, outline: Outline) -> None:
    sources = [attributes.get("src") or attributes.get("href") or "" for _, attributes in outline.elements]
    assert [source for source in sources if source and not source.startswith(("#", "data:"))] == []
    assert re.findall(r"url\((?!#|data:)", page) == [] and "@import" not in page
    assert "default-src 'none'" in page


def test_links_within_a_page_have_a_target(outline: Outline) -> None:
    ids = {attributes.get("id") for _, attributes in outline.elements}
    links = {(attributes.get("href") or "")[1:] for tag, attributes in outline.elements if tag in ("a", "use")}
    described = {
        attributes["aria-describedby"] for _, attributes in outline.elements if "aria-describedby" in attributes
    }
    assert (links | described) - ids == set()


def test_texts_of_users_are_escaped_everywhere(page: str, outline: Outline) -> None:
    assert "alert(1)</script>" not in page and "<b>luck" not in page and "<i>last" not in page
    assert "no &lt;b&gt;luck" in page and "&lt;i&gt;last line" in page
    assert sum(tag == "script" for tag, _ in outline.elements) == 7


def test_the_data_of_a_page_is_json_without_markup(page: str) -> None:
    text = page.partition('id="data">')[2].partition("</script>")[0]
    assert not re.search("[<>&]", text)
    data = json.loads(text)
    assert [row["label"] for row in data["rows"]] == ["paper", "no SGD", HOSTILE]
    assert [run[2] for run in data["rows"][2]["runs"]] == ["failed"]


def test_data_has_no_line_ends_of_scripts() -> None:
    assert dump_data({"a": "</script>\u2028&"}) == '{"a":"\\u003c/script\\u003e\\u2028\\u0026"}'


def test_equal_runs_give_equal_pages(tmp_path: Path) -> None:
    store = Store(tmp_path)
    plan = study_of_three(store)
    first, second = (render_page(make_report(store, plan)) for _ in range(2))
    assert first == second


def test_values_are_words(page: str) -> None:
    body = page.partition("<main>")[2].partition("</main>")[0]
    assert "masks of seen classes" in body and "seen_masks" not in body


def test_every_figure_has_a_caption_and_a_text_in_its_place(outline: Outline) -> None:
    tags = Counter(tag for tag, _ in outline.elements)
    figures = [attributes for tag, attributes in outline.elements if tag == "svg"]
    assert tags["figure"] == tags["figcaption"] == len(figures) > 5
    assert all(attributes["role"] == "img" and attributes["aria-label"] for attributes in figures)


def test_runs_without_a_result_are_named_by_seed_and_split_once_per_reason(tmp_path: Path) -> None:
    store = Store(tmp_path)
    failure = Failure(kind="ValueError", message="no luck", log_tail="last line")
    other = failure.model_copy(update={"message": "no disk"})
    failures = [failure, failure, other]
    ids = {seed: save(store, spec_of("lost", seed=seed), failures[seed]) for seed in range(3)}
    rows = plan_of({"lost": ids}).rows + save_splits(store, "many", {0: 0, 1: 0})
    far = store.run(rows[2].ids[1])
    far.counts_path.unlink()
    report = make_report(store, plan_splits(rows))
    assert [(reason.label, reason.place, len(reason.runs)) for reason in report.failures.reasons] == [
        ("lost", "seeds 0, 1 on toybox", 2),
        ("lost", "seed 2 on toybox", 1),
        ("many", "seed 1 on toybox@2-s0-01", 1),
    ]
    section = render_page(report).partition('id="failures"')[2].partition("</section>")[0]
    assert section.count("<summary>") == 3 and section.count("last line") == 3 and "4 runs without" in section


def test_a_state_that_is_the_only_reason_is_said_once(tmp_path: Path) -> None:
    store, spec = Store(tmp_path), spec_of("ended")
    begin(store, spec, 1, 0)
    page = render_page(make_report(store, plan_of({"ended": {0: spec.id}, "done": two_rows(store).rows[0].ids})))
    assert "<b>ended</b>, seed 0, interrupted</summary>" in page


def test_a_failure_shows_the_end_of_its_log(page: str) -> None:
    failures = page.partition('id="failures"')[2].partition("</section>")[0]
    assert "1 run without a result" in failures and "first line" in failures


def test_a_study_over_splits_has_the_effect_by_split(tmp_path: Path) -> None:
    store = Store(tmp_path)
    rows = [
        save_splits(store, label, {0: less, 1: less + 5, 2: less}) for label, less in (("paper", 0), ("no SGD", 20))
    ]
    page = render_page(make_report(store, plan_splits(*rows)))
    assert 'id="splits"' in page and "Effect by split" in page
    assert "95% interval over splits, seeds and images; 3 splits, 4 images" in page


def test_images_are_embedded(tmp_path: Path) -> None:
    store = Store(tmp_path)
    image = EmbeddedImage(
        "data:image/png;base64,AA", "data:image/png;base64,AB", {"paper": "data:image/png;base64,AC"}, {}
    )
    embedded = EmbeddedImages(
        {"image00": image}, (ClassColor("grass", "#102030", True),), (), "Chosen <so>", {"x": "gone"}
    )
    page = render_page(make_report(store, two_rows(store), embedded=embedded))
    assert "Chosen &lt;so&gt;." in page and "No predictions of x: gone" in page and "grass*" in page
    assert "base64,AC" in page and "--images N" not in page.partition('id="images"')[2].partition("</section>")[0]


def test_a_report_without_results_says_what_to_do(tmp_path: Path) -> None:
    store = Store(tmp_path)
    plan = study_of_three(store)
    lost = plan.model_copy(update={"rows": plan.rows[2:]})
    with pytest.raises(ValueError, match="no run of demo is done"):
        make_report(store, lost)
