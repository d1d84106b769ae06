"""Tests of how images of a sheet are chosen, and of what the sheet says about it."""

from __future__ import annotations

import pytest

from benchmark.qualitative.sheet_choice import choose_for_sheet, compute_accuracies
from tests.report.world import hand_counts

COUNTS = {
    "paper": hand_counts([[80, 80, 60, 60]] * 4),
    "no SGD": hand_counts([[80, 80, 60, 60], [80, 80, 20, 20], [90, 90, 60, 60], [80, 80, 50, 60]]),
}
"""Of 400 pixels per image, 280 are right in the first row; 280, 200, 300 and 270 in the second."""


def test_labels_are_written_as_they_are_in_the_caption() -> None:
    label = """it's "\\n" 漢"""
    counts = {"paper": COUNTS["paper"], label: COUNTS["no SGD"]}
    assert f"of '{label}' from 'paper'" in choose_for_sheet(f"difference:{label}", counts, baseline="", count=1).text


def test_accuracy_is_the_share_of_right_pixels() -> None:
    assert compute_accuracies(COUNTS["no SGD"]) == pytest.approx(
        {"image00": 70, "image01": 50, "image02": 75, "image03": 67.5}
    )


def test_images_with_the_largest_difference_come_first_whatever_its_sign() -> None:
    choice = choose_for_sheet("difference:no sgd", COUNTS, baseline="", count=3)
    assert choice.image_ids == ["image01", "image02", "image03"]
    assert choice.text == (
        "images with the largest difference in pixel accuracy of 'no SGD' from 'paper', in points: "
        "image01 (-20.0), image02 (+5.0), image03 (-2.5)"
    )


@pytest.mark.parametrize(
    ("select", "ids", "text"),
    [
        ("image03,image01", ["image03", "image01"], "images named by the user"),
        ("first 2", ["image00", "image01"], "first 2 of the scored images"),
        ("first 9", [f"image{index:02d}" for index in range(4)], "all 4 scored images"),
        ("all", [f"image{index:02d}" for index in range(4)], "all 4 scored images"),
        ("targets", ["image00", "image01", "image02"], "images chosen by their targets alone"),
        ("", ["image00", "image01", "image02"], "images chosen by their targets alone"),
    ],
)
def test_images_by_name_by_number_and_by_target(select: str, ids: list[str], text: str) -> None:
    assert choose_for_sheet(select, COUNTS, baseline="", count=3) == (ids, text)


@pytest.mark.parametrize(
    ("select", "baseline", "message"),
    [
        ("difference:no SDG", "", "no row with a finished run 'no SDG'; did you mean 'no SGD'"),
        ("difference:no SGD", "papr", "no row with a finished run 'papr'; did you mean 'paper'"),
        ("difference:paper", "", "differs from itself nowhere"),
        ("image3", "", "no image 'image3'; did you mean"),
        (",", "", "give ids with commas"),
        ("first x", "", "images are 'first x': the first ones are 'first N' with a number"),
        ("first 0", "", "the first 0 images are none"),
    ],
)
def test_a_choice_that_is_none_is_answered(select: str, baseline: str, message: str) -> None:
    with pytest.raises((KeyError, ValueError), match=message):
        choose_for_sheet(select, COUNTS, baseline=baseline, count=3)
