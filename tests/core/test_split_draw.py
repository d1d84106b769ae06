"""Drawn splits: their names, and what a name draws."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmark.core.split import Split, find_split_file, load_split
from benchmark.core.split_draw import SplitDraw, is_drawn, parse_draw

STUFF, THINGS = ["sky", "sea", "sand", "snow"], ["cup", "car", "cow", "cat"]
FIELDS = {
    "dataset": "d",
    "classes": [*STUFF, *THINGS],
    "unseen": ["sea"],
    "kinds": {"stuff": STUFF, "things": THINGS},
    "never_unseen": ["sky", "cup"],
    "protocol": "zsseg",
    "prompts": {"templates": ["a {}"]},
    "images": {"train": 3},
}


def write_base(folder: Path, name: str = "base", **fields: object) -> str:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(FIELDS | fields))
    return str(path)


def test_a_name_is_read_and_written_alike() -> None:
    for name in ("toybox@6-s0-03", "a/b@c/x.yaml@stuff3+things12-s7-123", "voc12@5-s12-00"):
        assert str(parse_draw(name)) == name and is_drawn(name)
    assert parse_draw("x.yaml@a2+b_c1-s5-07") == SplitDraw("x.yaml", (("a", 2), ("b_c", 1)), 5, 7)


def test_files_are_not_drawn() -> None:
    assert not is_drawn("toybox") and not is_drawn("me@host/x.yaml") and not is_drawn("toybox@6-s0-03.yaml")
    assert find_split_file("toybox@6-s0-03") is None and find_split_file("voc12") is None
    assert find_split_file("a/x.yaml@6-s0-03") == find_split_file("a/x.yaml") == Path("a/x.yaml")


@pytest.mark.parametrize(
    ("suffix", "message"),
    [
        ("@x", "is no name of a drawn split: expected SPLIT@COUNT-sSEED-NUMBER"),
        ("@2-s0", "is no name of a drawn split"),
        ("@2+stuff1-s0-00", "is no name of a drawn split"),
        ("@2-s0-3", "is written '.*@2-s0-03'"),
        ("@02-s0-03", "is written '.*@2-s0-03'"),
        ("@2-s0-00@2-s0-01", "is itself drawn: draw from '.*base.yaml'"),
        ("@2-s0-00,other@2-s0-01", "is no split: name one split at a time, without commas"),
        ("@*", "is a pattern, which only reports of finished runs take"),
        ("@small things3-s0-00", "is no name of a drawn split: .*; kinds have names of a-z and _"),
        ("@things1+stuff1-s0-00", r"write '.*@stuff1\+things1-s0-00'"),
        ("@stuff4-s0-00", "has 3 classes of kind 'stuff' that may be unseen, and 4 are asked for"),
        ("@7-s0-00", "has 6 classes that may be unseen, and 7 are asked for"),
        ("@0-s0-00", "draws no classes: give a number from 1"),
        ("@stuff1-s0-03", "only 3 different ones exist, numbered from 0"),
    ],
)
def test_an_impossible_draw_is_refused_in_one_line(tmp_path: Path, suffix: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        load_split(write_base(tmp_path) + suffix)
    assert "\n" not in str(caught.value)


def test_an_unknown_kind_or_base_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="did you mean 'stuff'"):
        load_split(f"{write_base(tmp_path)}@stff1-s0-00")
    with pytest.raises(KeyError, match="did you mean 'toybox'"):
        load_split("toybx@2-s0-00")


def test_a_split_without_kinds_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no kinds of classes, such as 'stuff'"):
        load_split(f"{write_base(tmp_path, kinds={})}@stuff1-s0-00")


def test_no_more_than_a_thousand_splits_are_drawn() -> None:
    assert len(load_split("coco_stuff164k@15-s0-999").unseen) == 15
    with pytest.raises(ValueError, match="at most 1000 are drawn"):
        load_split("coco_stuff164k@15-s0-1000")


def test_a_draw_that_leaves_no_seen_class_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="leaves no seen class: draw fewer than 8"):
        load_split(f"{write_base(tmp_path, never_unseen=[])}@8-s0-00")


def test_everything_but_the_unseen_classes_is_that_of_the_base(tmp_path: Path) -> None:
    base, drawn = (load_split(write_base(tmp_path, note="n") + suffix) for suffix in ("", "@stuff2+things1-s4-05"))
    other = {"name": drawn.name, "unseen": drawn.unseen, "note": "note of base: n", "source": "drawn from base"}
    assert drawn == Split.model_validate(dict(base) | other)
    assert drawn.name == "base@stuff2+things1-s4-05"


def test_the_draws_of_a_seed_are_different_sets_of_the_allowed_classes(tmp_path: Path) -> None:
    base = write_base(tmp_path)
    sets = {load_split(f"{base}@stuff2+things1-s0-{number:02d}").unseen for number in range(9)}
    assert len(sets) == 9  # 3 pairs of stuff by 3 things: all that exist
    assert all(len(set(STUFF) & set(drawn)) == 2 and not {"sky", "cup"} & set(drawn) for drawn in sets)


def test_every_set_is_drawn_about_equally_often(tmp_path: Path) -> None:
    base = write_base(tmp_path)
    first = Counter(load_split(f"{base}@2-s{seed}-00").unseen for seed in range(600))
    assert len(first) == 15  # pairs of 6
    assert sum((count - 40) ** 2 / 40 for count in first.values()) < 29.1  # chi square, 14 df, 1 %


def test_the_names_and_what_they_draw_stay_the_same() -> None:
    draw = load_split("coco_stuff164k@3-s0-02").unseen
    assert draw == ("baseball glove", "refrigerator", "rug")


def test_background_is_never_drawn() -> None:
    drawn = (load_split(f"voc12_zs3_4@20-s0-{0:02d}"), load_split("voc12_zs3_4@19-s0-07"))
    assert all("background" in split.seen for split in drawn)


def test_the_digest_of_a_split_does_not_depend_on_kinds(tmp_path: Path) -> None:
    first = load_split(write_base(tmp_path)).digest()
    assert load_split(write_base(tmp_path, kinds={}, never_unseen=[])).digest() == first


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"kinds": {"stuff": [*STUFF, "fog"], "things": THINGS}},
            r"kinds\.stuff .*lists \['fog'\], which are not among",
        ),
        ({"kinds": {"stuff": STUFF, "things": [*THINGS, "sea"]}}, r"list \['sea'\] twice"),
        ({"kinds": {"stuff": STUFF}}, r"leave out \['car', 'cat', 'cow'\]"),
        ({"kinds": {"Stuff 2": STUFF, "things": THINGS}}, "kind 'Stuff 2' .*: expected a name of a-z and _"),
        ({"never_unseen": ["fog"]}, r"never_unseen .*lists \['fog'\], which are not among its classes"),
    ],
)
def test_groups_of_classes_are_checked(tmp_path: Path, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_split(write_base(tmp_path, **fields))
