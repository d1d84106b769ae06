"""Tests of rows over several splits: which splits are one group, and what their means and differences are."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from benchmark.core.plan import PlanRow
from benchmark.core.protocol import Protocol
from benchmark.core.run_record import ImportedLabels
from benchmark.report.imported import describe_imported
from benchmark.report.pooled_rows import PooledRow
from benchmark.report.pools import group_splits
from benchmark.report.rows import read_rows
from benchmark.report.split_names import list_splits, name_splits, shorten_splits
from benchmark.report.study_results import StudyResults, collect_results
from benchmark.report.tables.cells import format_scores
from benchmark.report.tables.selection import select_columns
from benchmark.report.tables.study_table import build_results_frame
from benchmark.store.store import Store
from tests.report.world import plan_splits, save_splits, spec_of

ALL = {0: 0, 1: 0, 2: 0}


def collect(store: Store, *rows: tuple[PlanRow, ...], **options: Any) -> StudyResults:
    return collect_results(read_rows(store, plan_splits(*rows)), **options)


def get_pooled(results: StudyResults, index: int = 0) -> PooledRow:
    row = results.rows[index]
    assert isinstance(row, PooledRow)
    return row


def test_splits_that_differ_in_their_unseen_classes_are_one_group(tmp_path: Path) -> None:
    store = Store(tmp_path)
    results = collect(store, save_splits(store, "paper", ALL), save_splits(store, "no SGD", {0: 10, 1: 20, 2: 30}))
    (group,) = results.groups
    assert [row.label for row in group.rows] == ["paper", "no SGD"]
    assert group.name == "toybox@2-s0 (3 splits)"
    assert [split.list_unseen() for split in group.splits] == [("cup", "fish"), ("water", "fish"), ("grass", "fish")]


def test_groups_on_the_same_splits_have_names_of_their_own_so_that_the_best_is_one_of_each(tmp_path: Path) -> None:
    store, other = Store(tmp_path), Protocol(name="sclip")
    rows = [save_splits(store, name, dict.fromkeys(ALL, lost)) for name, lost in (("a", 0), ("b", 20))]
    rows += [
        save_splits(store, name, dict.fromkeys(ALL, lost), protocol=other) for name, lost in (("c", 10), ("d", 30))
    ]
    results = collect(store, *rows)
    assert [group.name for group in results.groups] == [
        f"toybox@2-s0 (3 splits, protocol {name})" for name in ("plain", "sclip")
    ]
    cells = format_scores("hiou", build_results_frame(results, select_columns(())), 1)
    assert [cell.is_best for cell in cells] == [True, False, True, False]


def test_the_mean_over_splits_is_that_of_their_means_over_seeds(tmp_path: Path) -> None:
    store = Store(tmp_path)
    row = get_pooled(collect(store, save_splits(store, "paper", {0: 0, 1: 20, 2: 50})))
    means = [member.estimates["hiou"].mean for member in row.members]
    assert row.select_scores("hiou") == pytest.approx(means) and max(means) - min(means) > 10
    mean, interval = row.estimates["hiou"]
    assert mean == pytest.approx(fmean(means))
    assert interval is not None and interval.kind == "splits, seeds and images"
    assert (interval.low + interval.high) / 2 == pytest.approx(mean)


def test_a_difference_is_the_mean_of_those_by_split_and_the_family_is_that_of_rows(tmp_path: Path) -> None:
    store = Store(tmp_path)
    rows = [save_splits(store, name, lost) for name, lost in (("a", ALL), ("b", {0: 10, 1: 20, 2: 30}), ("c", ALL))]
    results = collect(store, *rows)
    _, known, _ = results.differences
    single = [split.differences[1] for split in results.groups[0].splits]
    values = [one.paired.difference for one in single if one is not None]
    assert known is not None and known.paired.difference == pytest.approx(fmean(values)) and len(values) == 3
    assert known.p_adjusted == pytest.approx(min(1, 2 * known.paired.p_value))
    assert known.pooled is not None and known.pooled.num_negative == 3


def test_splits_are_kept_apart_on_request(tmp_path: Path) -> None:
    store = Store(tmp_path)
    rows = [save_splits(store, name, ALL) for name in ("paper", "no SGD")]
    results = collect(store, *rows, is_by_split=True)
    assert [group.name for group in results.groups] == [f"toybox@2-s0-0{number}" for number in range(3)]
    assert len(results.rows) == 6 and not results.has_pools


@pytest.mark.parametrize(
    "changes", [{"max_images": 4}, {"protocol": Protocol(name="zs", gamma=0.1)}, {"dataset_fingerprint": "other"}]
)
def test_splits_under_other_settings_are_no_pool(tmp_path: Path, changes: dict[str, Any]) -> None:
    store = Store(tmp_path)
    results = collect(store, save_splits(store, "paper", {0: 0}), save_splits(store, "paper", {1: 0}, **changes))
    assert [len(group.splits) for group in results.groups] == [0, 0] and not results.obstacles


def test_splits_with_the_same_unseen_classes_are_no_pool_and_the_table_says_so(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first, again = save_splits(store, "paper", {0: 0}), save_splits(store, "paper", {0: 0}, split="copy")
    results = collect(store, first, again)
    assert len(results.groups) == 2
    (text,) = results.obstacles
    assert text.startswith("copy, toybox@2-s0-00: splits copy and toybox@2-s0-00 withhold the same classes")


def test_rows_that_share_no_split_with_themselves_stay_apart(tmp_path: Path) -> None:
    store = Store(tmp_path)
    results = collect(store, save_splits(store, "paper", {0: 0}), save_splits(store, "other", {1: 0}))
    assert [[row.label for row in group.rows] for group in results.groups] == [["paper"], ["other"]]


def test_a_split_without_a_result_belongs_to_the_others(tmp_path: Path) -> None:
    store = Store(tmp_path)
    missing = PlanRow(label="paper", method="demo", split="x", ids={0: spec_of("paper", split="x").id})
    results = collect(store, save_splits(store, "paper", {0: 0, 1: 0}), (missing,))
    row = get_pooled(results)
    assert len(results.groups) == 1 and len(row.members) == 3 and not row.is_complete
    assert row.name_runs(row.members[-1].runs) == "seed 0 on x"


OTHER_SETTINGS = [{"max_images": 4}, {"protocol": Protocol(name="zs", gamma=0.1)}, {"dataset_fingerprint": "other"}]


def plan_run(store: Store, **changes: Any) -> PlanRow:
    """Plan a run of the row "paper" that has a spec and no record yet."""
    spec = spec_of("paper", **changes)
    store.run(spec.id).write_spec(spec)
    return PlanRow(label="paper", method="demo", split=spec.split, ids={0: spec.id})


@pytest.mark.parametrize("changes", OTHER_SETTINGS)
def test_a_split_without_a_result_is_in_no_pool_of_other_settings(tmp_path: Path, changes: dict[str, Any]) -> None:
    store = Store(tmp_path)
    rows = save_splits(store, "paper", {0: 0, 1: 0})
    others = collect(store, rows, (plan_run(store, split="x", **changes),))
    assert [len(row.runs) for row in others.rows] == [6, 1]
    assert len(collect(store, rows, (plan_run(store, split="x"),)).groups) == 1


@pytest.mark.parametrize("changes", [*OTHER_SETTINGS, {"split_digest": "6"}])
def test_a_row_without_a_result_is_in_the_group_of_its_own_setting(tmp_path: Path, changes: dict[str, Any]) -> None:
    store = Store(tmp_path)
    done = save_splits(store, "other", {0: 0}, split="toybox", split_digest="5")
    first, second = collect(store, (plan_run(store, **changes),), done).groups
    assert [row.label for row in (*first.rows, *second.rows)] == ["paper", "other"]
    assert first.setting is None and second.setting is not None and first.name != second.name
    assert len(collect(store, (plan_run(store),), done).groups) == 1


def test_pairs_are_those_of_splits_that_both_rows_have(tmp_path: Path) -> None:
    store = Store(tmp_path)
    results = collect(store, save_splits(store, "paper", ALL), save_splits(store, "no SGD", {0: 10, 2: 20}))
    known = results.differences[1]
    assert known is not None and list(known.by_split) == ["toybox@2-s0-00", "toybox@2-s0-02"]
    assert "over the two splits that both have, of its two and the reference's three" in known.paired.interval.caution
    assert not get_pooled(results, 1).is_complete


def test_rows_without_a_common_split_have_no_difference(tmp_path: Path) -> None:
    store = Store(tmp_path)
    results = collect(store, save_splits(store, "paper", {0: 0, 1: 0}), save_splits(store, "other", {2: 0}))
    assert results.differences == (None, None) and len(results.groups) == 1


def test_runs_of_a_row_over_splits_are_named_by_seed_and_split(tmp_path: Path) -> None:
    store = Store(tmp_path)
    row = get_pooled(collect(store, save_splits(store, "paper", ALL)))
    first, second, third = (member.runs for member in row.members)
    assert row.name_runs(row.runs) == "all 9 runs"
    assert row.name_runs([first[0], second[0], third[1]]) == "seed 0 on toybox@2-s0-00, 01; seed 1 on 02"
    assert row.name_runs([first[0], second[1], third[2]]) == "seed 0 on toybox@2-s0-00; seed 1 on 01; seed 2 on 02"


def test_the_iou_of_a_class_is_that_while_it_is_seen_or_unseen(tmp_path: Path) -> None:
    store = Store(tmp_path)
    row = get_pooled(collect(store, save_splits(store, "paper", {0: 0, 1: 40, 2: 20})))
    roles = zip(row.members, (True, False, True), strict=True)
    water = [member.average_iou(is_seen=is_seen)[1] for member, is_seen in roles]
    assert row.average_iou(is_seen=True)[1] == pytest.approx((water[0] + water[2]) / 2)
    assert row.average_iou(is_seen=False)[1] == pytest.approx(water[1])
    assert row.average_iou(is_seen=True)[3] != row.average_iou(is_seen=True)[3]  # fish is never seen


def test_imported_predictions_are_a_row_over_several_splits_too(tmp_path: Path) -> None:
    store = Store(tmp_path)
    origin = ImportedLabels(folder="/x", num_files=4, files_digest="f", labels_digest="e", ids="order")
    record = {"imported": origin, "is_deterministic": True, "cost": None}
    other = save_splits(store, "SAM 3", ALL, seeds=1, record=record, method="imported", engine="imported")
    row = get_pooled(collect(store, save_splits(store, "paper", ALL), other), 1)
    assert row.is_imported and row.is_complete and len(row.counted) == 3
    (text,) = describe_imported(row)
    assert text.startswith("imported labels: 4 files")


def test_ranks_over_splits_allow_what_the_intervals_allow(tmp_path: Path) -> None:
    store = Store(tmp_path)
    lost = {"best": ALL, "twin": {0: 1, 1: 0, 2: 0}, "worst": {0: 40, 1: 42, 2: 41}}
    results = collect(store, *(save_splits(store, name, some) for name, some in lost.items()), has_ranks=True)
    ranks = results.groups[0].ranks
    assert [rank and rank.rank for rank in ranks] == [1, 2, 3]
    assert [rank and (rank.low, rank.high) for rank in ranks] == [(1, 2), (1, 2), (3, 3)]


def test_of_splits_that_are_one_group_the_most_complete_comes_first(tmp_path: Path) -> None:
    store = Store(tmp_path)
    plan = plan_splits(save_splits(store, "paper", ALL), save_splits(store, "other", {1: 0, 2: 0}))
    assert group_splits(read_rows(store, plan)) == [["toybox@2-s0-01", "toybox@2-s0-02", "toybox@2-s0-00"]]


def test_names_of_splits_do_not_repeat_what_they_share() -> None:
    drawn = ["voc12@5-s0-01", "voc12@5-s0-02"]
    assert shorten_splits(["voc12", *drawn]) == ["voc12", "01", "02"]
    assert name_splits(["voc12", *drawn]) == "voc12 (3 splits)" and name_splits(drawn) == "voc12@5-s0 (2 splits)"
    assert name_splits(["ab", "cd"]) == "2 splits" and shorten_splits(["ab", "cd"]) == ["ab", "cd"]
    assert list_splits(["voc12", *drawn]) == "voc12, voc12@5-s0-01, 02" and list_splits([]) == ""


def test_some_rows_of_a_group_are_selected_on_every_split_that_has_any_of_them(tmp_path: Path) -> None:
    store = Store(tmp_path)
    rows = [save_splits(store, "a", {0: 0, 1: 5}), save_splits(store, "b", ALL), save_splits(store, "c", {0: 9, 1: 9})]
    (group,) = collect(store, *rows).groups
    kept = group.select_rows([2, 0])
    assert [[row.label for row in part.rows] for part in (kept, *kept.splits)] == [["c", "a"]] * 3
