"""Checks of published numbers: every kind can fail, and explanations hold for their numbers only."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.published.checks import check_published, list_unused
from benchmark.published.explanations import Explanation, read_explanations
from benchmark.published.number_ranges import NumberRange, bound_hiou, bound_mean, compute_hiou, make_range
from benchmark.published.published_row import PublishedRow
from benchmark.published.read import read_published
from tests.published.small_folder import write_folder

ROWS = read_published()


def change(name: str, **fields: object) -> tuple[PublishedRow, ...]:
    """Return all published rows with changed fields of one."""
    assert name in {row.id for row in ROWS}
    return tuple(row.model_copy(update=fields) if row.id == name else row for row in ROWS)


def list_unexplained(rows: tuple[PublishedRow, ...]) -> list[tuple[str, str]]:
    return [(found.kind, found.subject) for found in check_published(rows) if not found.is_explained]


def test_every_disagreement_is_explained_and_every_explanation_is_used() -> None:
    found = check_published(ROWS)
    assert [item for item in found if not item.is_explained] == []
    assert list_unused(found) == []
    assert len({(item.kind, item.subject) for item in found}) == len(found) == 67


def test_every_misprint_is_found_by_a_check() -> None:
    concerned = {name for item in check_published(ROWS, ()) for name in item.rows}
    misprints = [row.id for row in ROWS if row.misprint]
    assert len(misprints) == 9 and {*misprints} <= concerned


@pytest.mark.parametrize(
    ("kind", "subject", "values"),
    [
        ("hiou", "zsseg + ST, VOC 2012", (78.65, 79.3)),
        ("hiou", "STRICT, COCO-Stuff", (32.61, 34.8)),
        ("hiou", "ZegCLIP, Context 49/10, fully supervised", (56.9, 58.46)),
        ("average", "CLIPtrase, Average of 8", (32.7, 37.46)),
        ("average", "CLIPtrase (in the tables of ActiveSAM and ConceptBank)", (32.7, 37.46)),
        ("average", "SFP, Average of 8", (43.84, 44.0)),
        ("sources", "SFP, VOC21", (62.9, 63.9)),
        ("sources", "MaskCLIP, VOC20", (49.5, 61.8, 74.9)),
        ("sources", "CLIP, VOC20", (41.8, 41.9, 49.1)),
        ("sources", "CaGNet, COCO-Stuff", (33.5, 35.5)),
        ("sources", "ZegCLIP, COCO-Stuff", (41.1, 41.4)),
        ("sources", "OTSeg+, VOC 2012", (87.1, 87.4)),
        ("sources", "CLIP-RC, VOC 2012, inductive, CLIP ViT-B/16, hIoU", (85.8, 88.4)),
        ("sources", "CorrCLIP, ADE, CLIP ViT-L/14", (27.7, 30.7)),
    ],
)
def test_known_inconsistencies_are_found(kind: str, subject: str, values: tuple[float, ...]) -> None:
    found = [item for item in check_published(ROWS, ()) if item.kind == kind and item.subject.startswith(subject)]
    assert [item.values for item in found] == [values] and not found[0].is_explained


def test_a_wrong_hiou_is_found() -> None:
    rows = change("gzss/deop-voc12-inductive", printed={"miou_seen": 88.2, "miou_unseen": 74.6, "hiou": 81.0})
    assert list_unexplained(rows) == [("hiou", "DeOP, VOC 2012, inductive, ResNet-101")]


def test_a_wrong_average_is_found() -> None:
    rows = change("openvocab/naclip-clip-vit-b-16-average8", printed={"miou": 39.6})
    assert list_unexplained(rows) == [("average", "NACLIP, Average of 8, CLIP ViT-B/16")]


def test_a_wrong_number_on_one_benchmark_is_found_by_the_average_and_by_the_other_source() -> None:
    rows = change("openvocab/naclip-clip-vit-b-16-voc20", printed={"miou": 89.7})
    subjects = [("average", "NACLIP, Average of 8, CLIP ViT-B/16"), ("sources", "NACLIP, VOC20, CLIP ViT-B/16, mIoU")]
    assert list_unexplained(rows) == subjects


def test_sources_that_differ_by_the_last_place_are_found() -> None:
    rows = change("openvocab/naclip-re-run-by-floss-clip-vit-b-16-ade", printed={"miou": 17.5})
    assert ("sources", "NACLIP, ADE, CLIP ViT-B/16, mIoU") in list_unexplained(rows)


def test_an_explanation_does_not_cover_other_numbers() -> None:
    rows = change("openvocab/maskclip-re-run-by-floss-clip-vit-b-16-voc20", printed={"miou": 61.7})
    assert ("sources", "MaskCLIP, VOC20, CLIP ViT-B/16, mIoU") in list_unexplained(rows)
    assert list_unused(check_published(rows)) == ["sources: MaskCLIP, VOC20, CLIP ViT-B/16, mIoU"]


def test_numbers_that_rounding_explains_are_no_disagreement(tmp_path: Path) -> None:
    # 2 * 90.04 * 60.04 / 150.08 = 72.04, which the printed 72.0 may stand for; 72.2 may not
    fitting, wrong = ({"hiou": text} for text in ("72.1", "72.2"))
    assert check_published(read_published(write_folder(tmp_path, gzss=fitting)), ()) == []
    (found,) = check_published(read_published(write_folder(tmp_path, gzss=wrong)), ())
    assert found.numbers == "72.2 printed, 72.00 from S 90.0 and U 60.0"


def test_the_same_number_with_more_decimals_is_no_disagreement(tmp_path: Path) -> None:
    second = {"method": "Second, again", "system": "Second", "average": "", "average_of": ""}
    precise = {"VOC20": "80.04", "PC59": "40.04", "Stuff": "20.00", "City": "30.01", "ADE": "9.96"}
    assert check_published(read_published(write_folder(tmp_path, others=({}, second | precise))), ()) == []
    wrong = precise | {"ADE": "9.94"}
    (found,) = check_published(read_published(write_folder(tmp_path, others=({}, second | wrong))), ())
    assert (found.subject, found.values) == ("Second, ADE, CLIP ViT-B/16, mIoU", (9.94, 10.0))


def test_other_settings_and_backbones_are_no_other_source(tmp_path: Path) -> None:
    other = {"system": "Second", "method": "Second, large", "backbone": "CLIP ViT-L/14", "ADE": "15.0", "average": ""}
    assert check_published(read_published(write_folder(tmp_path, others=({}, other))), ()) == []


def test_a_reason_is_given_to_its_case_only() -> None:
    reason = Explanation(kind="average", text="a slip", cases={"SFP, Average of 8, CLIP ViT-B/16": (43.84, 44.0)})
    explained = [item.subject for item in check_published(ROWS, [reason]) if item.is_explained]
    assert explained == ["SFP, Average of 8, CLIP ViT-B/16"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: {kind: hiou, text: b, cases: {}}", "line 1: cases: expected 1 or more entries"),
        ("a: {kind: hio, text: b, cases: {c: [1, 2]}}", "kind='hio': expected 'hiou', 'average' or 'sources'"),
        ("a: {kind: hiou, txt: b, cases: {c: [1, 2]}}", "did you mean 'text'?"),
    ],
)
def test_a_broken_file_of_explanations_is_refused(text: str, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "explanations.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="is not a valid table of explanations: a: ") as raised:
        read_explanations(path)
    assert problem in str(raised.value)


def test_the_arithmetic_of_intervals() -> None:
    assert compute_hiou(0, 0) == 0 and compute_hiou(90, 60) == 72
    low, high = bound_hiou(make_range(90, 0.05), make_range(60, 0.05))
    assert (round(low, 3), round(high, 3)) == (71.948, 72.052)
    assert bound_mean([NumberRange(1, 2), NumberRange(3, 6)]) == NumberRange(2, 4)
    assert NumberRange(1, 2).overlaps(NumberRange(2, 3)) and not NumberRange(1, 2).overlaps(NumberRange(2.1, 3))
