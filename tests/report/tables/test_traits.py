"""Protocol classes in tables: what is marked and ranked, and what the notes say of mixed traits."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from benchmark.core.protocol_class import ProtocolClass
from benchmark.report.rows import read_rows
from benchmark.report.study_results import StudyResults, collect_results
from benchmark.report.tables.selection import select_columns
from benchmark.report.tables.study_table import render
from benchmark.report.tables.traits import compare_traits, name_deciding_traits
from benchmark.store.store import Store
from tests.report.world import even, plan_of, save, spec_of

SMALL = ProtocolClass(backbone="CLIP ViT-B/16")
LARGE = ProtocolClass(backbone="CLIP ViT-L/14", extra_models=("DINO ViT-B/8",))
ORACLE = ProtocolClass(backbone="CLIP ViT-B/16", vocabulary="image")


def collect(folder: Path, **traits: ProtocolClass) -> StudyResults:
    """Return results of a row per keyword, each better than the one before, all with ranks."""
    store, rights = Store(folder), iter(range(50, 100, 10))
    ids = {
        label: {0: save(store, spec_of(label), even(right, right), traits=own)}
        for (label, own), right in zip(traits.items(), rights, strict=False)
    }
    return collect_results(read_rows(store, plan_of(ids)), has_ranks=True)


def draw(results: StudyResults, *keys: str, **options: Any) -> str:
    return render(results, columns=select_columns(keys), width=None, **options)


def test_ranks_and_best_values_are_within_a_protocol_class(tmp_path: Path) -> None:
    results = collect(tmp_path, one=SMALL, two=LARGE, oracle=ORACLE)
    assert [rank and rank.rank for group in results.groups for rank in group.ranks] == [2, 1, 1]
    lines = draw(results, "hiou", fmt="md").splitlines()
    assert [
        "**" in next(line for line in lines if line.startswith(f"| {name}")) for name in ("one", "two", "oracle")
    ] == [
        False,
        True,
        False,
    ]


def test_the_note_on_the_best_names_the_traits_that_decide(tmp_path: Path) -> None:
    text = " ".join(draw(collect(tmp_path, one=SMALL, oracle=ORACLE), "hiou", "hiou_rank").split())
    assert "all runs and the same vocabulary at test; others are not ranked against each other" in text
    assert "Rank: by hIoU among the rows with all runs and the same vocabulary at test, with" in text


def test_a_setting_that_goes_with_supervision_is_not_named_beside_it(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ids = {name: {0: save(store, spec_of(name), even(50, 50), supervision=name)} for name in ("none", "seen_masks")}
    assert name_deciding_traits(read_rows(store, plan_of(ids))) == "supervision"


def test_one_note_says_which_traits_are_mixed(tmp_path: Path) -> None:
    text = " ".join(draw(collect(tmp_path, one=SMALL, two=LARGE, three=LARGE)).split())
    assert "Rows differ in backbone (CLIP ViT-L/14; CLIP ViT-B/16), extra models (DINO ViT-B/8; none)." in text


def test_rows_of_equal_traits_have_no_such_note(tmp_path: Path) -> None:
    assert "Rows differ in" not in draw(collect(tmp_path, one=SMALL, two=SMALL))


def test_many_values_are_counted(tmp_path: Path) -> None:
    traits = {f"r{number}": ProtocolClass(backbone=f"B{number}") for number in range(5)}
    assert "B3; 1 more)" in " ".join(draw(collect(tmp_path, **traits)).split())


def test_backbone_and_extra_models_are_columns(tmp_path: Path) -> None:
    text = draw(collect(tmp_path, one=SMALL, two=LARGE, old=ProtocolClass()), "backbone", "extra_models", fmt="md")
    assert "| one | CLIP ViT-B/16 | none |" in text and "| two | CLIP ViT-L/14 | DINO ViT-B/8 |" in text
    assert "| old | - | - |" in text


@pytest.mark.parametrize("fmt", ["csv", "json"])
def test_csv_and_json_have_all_traits(tmp_path: Path, fmt: str) -> None:
    text = draw(collect(tmp_path, two=LARGE), fmt=fmt)
    row = next(csv.DictReader(io.StringIO(text))) if fmt == "csv" else json.loads(text)["rows"][0]
    names = ("training_setting", "vocabulary", "target_images", "mask_votes", "backbone", "extra_models")
    assert [row[name] for name in names] == ["inductive", "all", "none", "none", "CLIP ViT-L/14", "DINO ViT-B/8"]


def test_a_comparison_names_traits_that_are_known_and_differ() -> None:
    assert compare_traits(SMALL, LARGE) == [
        "backbone: A CLIP ViT-B/16; B CLIP ViT-L/14",
        "extra models: A none; B DINO ViT-B/8",
    ]
    assert compare_traits(SMALL, ProtocolClass(background="class")) == []
