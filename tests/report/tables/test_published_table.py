"""Tables of published numbers and of their disagreements, in every format."""

from __future__ import annotations

import csv
import io
import json

import pytest

from benchmark.published.checks import Disagreement, check_published
from benchmark.published.read import find_rows, read_published
from benchmark.report.tables.disagreement_table import render_disagreements
from benchmark.report.tables.formats import FORMATS
from benchmark.report.tables.published_table import render_published, sort_rows

ROWS = read_published()
STUFF = find_rows(ROWS, split="coco_stuff164k", setting="transductive")


@pytest.mark.parametrize("fmt", FORMATS)
def test_every_format_has_every_row(fmt: str) -> None:
    text = render_published(STUFF, fmt=fmt)
    assert text.count("CaGNetv2 (patch-wise) + ST") >= 1 and text.endswith("\n")
    assert text.count("AlignCLIP README") == 1


@pytest.mark.parametrize("fmt", FORMATS)
def test_every_format_has_every_disagreement(fmt: str) -> None:
    found = check_published(ROWS)
    text = render_disagreements(found, fmt=fmt)
    assert text.count("CLIPtrase, Average of 8, CLIP ViT-B/16") == 1 and text.count("37.46") >= 1


def test_csv_has_all_columns_and_numbers_as_printed() -> None:
    lines = list(csv.DictReader(io.StringIO(render_published(STUFF, fmt="csv", keys=["hiou"]))))
    (strict,) = [line for line in lines if line["method"] == "STRICT"]
    assert (strict["hiou"], strict["hiou_recomputed"], strict["miou"]) == ("34.8", "32.61", "")
    assert strict["misprint"] and strict["is_verified"] == "yes" and len(lines) == len(STUFF)


def test_json_has_rows_with_their_traits_and_best_values() -> None:
    table = json.loads(render_published(STUFF, fmt="json"))
    (strict,) = [row for row in table["rows"] if row["method"] == "STRICT"]
    assert (strict["printed"]["hiou"], strict["values"]["hiou"]) == (34.8, 32.61)
    assert strict["traits"]["supervision"] == "seen_masks+unseen_names"
    assert any("recalled from memory" in note["text"] for note in table["notes"])


def test_unverified_rows_and_misprints_are_marked_and_the_notes_stay() -> None:
    for has_notes in (True, False):
        text = render_published(STUFF, has_notes=has_notes)
        assert "a: unverified: from a secondary source" in text or "unverified: recalled from memory" in text
        assert "misprint: 2SU/(S+U) of the printed S and U is 32.6" in text
    (strict,) = [line for line in render_published(STUFF, fmt="md").splitlines() if line.startswith("| STRICT |")]
    assert "| 34.8<sup>" in strict and "| 32.61 |" in strict


def test_numbers_computed_here_are_in_parentheses() -> None:
    text = render_published(find_rows(ROWS, method="Cascade-CLIP", split="voc12"), fmt="md")
    assert "| 92.5 ±1.0 | 83.0 ±1.0 | (87.5) | 87.49 |" in text and "in parentheses: not printed" in text


def test_oracles_and_adaptation_to_the_test_images_are_marked() -> None:
    text = render_published(find_rows(ROWS, split="ADE"), has_notes=False)
    assert "chooses among the classes that are in the image" in text
    assert "with their masks" in text and "without their masks" in text


def test_rows_of_several_protocol_classes_are_not_ranked() -> None:
    assert "not ranked: the rows are of" in render_published(find_rows(ROWS, split="voc12"))
    assert "not ranked" not in render_published(find_rows(ROWS, split="voc12", setting="inductive"))


def test_split_and_setting_are_columns_only_if_they_differ() -> None:
    assert "Published numbers, coco_stuff164k, transductive, in percent" in render_published(STUFF)
    header = render_published(find_rows(ROWS, dataset="pascal_context"), fmt="md").splitlines()[2]
    assert header.startswith(
        "| Method | Split | Setting | Backbone | S | U | hIoU | mIoU | hIoU of S, U | Year | Source |"
    )


def test_rows_are_sorted_within_their_group_and_those_without_a_value_come_last() -> None:
    rows = sort_rows(find_rows(ROWS, split="Context 49/10"), "hiou,desc")
    groups = [row.traits.setting for row in rows]
    assert groups == sorted(
        groups, key=["inductive", "transductive", "transductive, unseen located", "fully supervised"].index
    )
    inductive = [row.values.get("hiou") for row in rows if row.traits.setting == "inductive"]
    known = [value for value in inductive if value is not None]
    assert known == sorted(known, reverse=True) and inductive == known + [None] * (len(inductive) - len(known))


def test_texts_are_sorted_too() -> None:
    methods = [row.method.casefold() for row in sort_rows(STUFF, "method")]
    assert methods == sorted(methods)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"fmt": "yaml"}, "no table format 'yaml'"),
        ({"keys": ["hio"]}, "no column 'hio'; did you mean 'hiou'?"),
        ({"sort": "yaer"}, "no column 'yaer'; did you mean 'year'?"),
        ({"sort": "year,down"}, "cannot sort by 'year,down'"),
    ],
)
def test_wrong_options_are_answered(options: dict, problem: str) -> None:
    with pytest.raises((KeyError, ValueError)) as raised:
        render_published(STUFF, **options)
    assert problem in raised.value.args[0]


@pytest.mark.parametrize("fmt", FORMATS)
def test_tables_without_rows_have_their_header(fmt: str) -> None:
    heads = {"csv": "subject", "json": "disagreements"}
    assert heads.get(fmt, "Numbers") in render_disagreements([], fmt=fmt)
    assert {"csv": "method", "json": "rows"}.get(fmt, "Method") in render_published([], fmt=fmt)


def test_what_is_not_explained_stands_out() -> None:
    found = [Disagreement(kind="hiou", subject="X", values=(1, 2), numbers="1 printed, 2", rows=("x",))]
    text = render_disagreements(found, unused=["sources: Y"], has_notes=False)
    assert "1, of which 1 are not explained" in text and "a: not explained" in text
    assert "explanation of nothing, since the numbers changed: sources: Y" in text
