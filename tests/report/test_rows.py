"""Tests of the rows of a study: scores, intervals, and missing, failed, stale or broken runs."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmark.core.protocol import Protocol
from benchmark.core.run_record import Failure, RunRecord
from benchmark.core.run_state import RunState
from benchmark.report.result_row import compute_median_cost
from benchmark.report.rows import Row, find_shared_setting, read_rows
from benchmark.report.study_results import collect_results
from benchmark.report.tables.formats import FORMATS
from benchmark.report.tables.study_table import render
from benchmark.store.staleness import digest_module
from benchmark.store.store import Store
from tests.report.world import COST, even, hand_counts, plan_of, save, spec_of, two_rows

LOST = Failure(kind="OutOfMemoryError", message="tried to allocate 2 GiB", log_tail="...")


def one_row(store: Store, ids: dict[int, str]) -> Row:
    return read_rows(store, plan_of({"row": ids}))[0]


def test_scores_equal_those_worked_out_by_hand(tmp_path: Path) -> None:
    store = Store(tmp_path)
    row = one_row(store, {0: save(store, spec_of(), even(80, 60))})
    seen, unseen = 100 * 80 / 120, 100 * 60 / 140
    assert row.estimates["miou_seen"].mean == pytest.approx(seen)
    assert row.estimates["miou_unseen"].mean == pytest.approx(unseen)
    assert row.estimates["hiou"].mean == pytest.approx(2 * seen * unseen / (seen + unseen))
    assert row.average_iou(is_seen=True).tolist()[:2] == pytest.approx([seen, seen])
    assert row.average_iou(is_seen=False).tolist()[2:] == pytest.approx([unseen, unseen])


def test_seeds_on_equal_images_get_the_t_interval_of_their_scores(tmp_path: Path) -> None:
    store = Store(tmp_path)
    right = {0: 100, 1: 80, 2: 50}  # IoU 100, 66.7, 33.3: standard deviation 33.3; t of 2 degrees of freedom is 4.3027
    row = one_row(store, {seed: save(store, spec_of(seed=seed), even(count, 60)) for seed, count in right.items()})
    mean, interval = row.estimates["miou_seen"]
    assert interval is not None and interval.kind == "seeds and images"
    assert (mean, interval.high - mean) == pytest.approx((200 / 3, 4.302653 * 100 / 3 / math.sqrt(3)))


def test_a_single_seed_gets_the_interval_over_images(tmp_path: Path) -> None:
    store = Store(tmp_path)
    row = one_row(store, {0: save(store, spec_of(), hand_counts([[90, 80, 60, 40], [70, 80, 20, 50]]))})
    interval = row.estimates["hiou"].interval
    assert interval is not None and interval.kind == "images"
    assert interval.low < row.estimates["hiou"].mean < interval.high


@pytest.mark.parametrize(("second", "is_same"), [((80, 0), True), ((70, 0), False)])
def test_the_seed_seems_to_change_nothing_only_if_all_counts_are_equal(
    tmp_path: Path, second: tuple[int, int], is_same: bool
) -> None:
    store = Store(tmp_path)
    ids = {seed: save(store, spec_of(seed=seed), even(*right)) for seed, right in enumerate([(80, 0), second])}
    (row,) = read_rows(store, plan_of({"row": ids}))
    interval = row.estimates["hiou"].interval
    assert row.select_scores("hiou") == (0, 0) and interval is not None
    assert ("the seed seems to change nothing" in interval.caution) is is_same


def test_a_deterministic_row_is_complete_with_one_run_and_has_no_variation_over_seeds(tmp_path: Path) -> None:
    store = Store(tmp_path)
    counts = hand_counts([[90, 80, 60, 40], [70, 80, 20, 50]])
    ids = {seed: save(store, spec_of(seed=seed), counts, is_deterministic=True) for seed in (0, 1)}
    row = one_row(store, ids | {2: spec_of(seed=2).id})
    interval = row.estimates["hiou"].interval
    assert interval is not None and (interval.kind, interval.caution) == ("images", "")
    assert row.is_deterministic and row.is_complete and (len(row.done), len(row.counted)) == (2, 1)


def test_runs_without_scores_give_the_reason(tmp_path: Path) -> None:
    store = Store(tmp_path)
    done, failed = save(store, spec_of(seed=0), even(80, 60)), save(store, spec_of(seed=1), LOST)
    row = one_row(store, {0: done, 1: failed, 2: spec_of(seed=2).id})
    assert [run.state for run in row.runs] == [RunState.DONE, RunState.FAILED, RunState.MISSING]
    assert [run.problem for run in row.runs] == ["", "OutOfMemoryError: tried to allocate 2 GiB", "missing"]
    assert (len(row.done), row.is_complete, row.state) == (1, False, RunState.DONE)


def test_damaged_counts_break_only_their_own_run(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ids = {seed: save(store, spec_of(seed=seed), even(80, 60)) for seed in (0, 1)}
    store.run(ids[1]).counts_path.write_bytes(b"torn")
    row = one_row(store, ids)
    assert [run.state for run in row.runs] == [RunState.DONE, RunState.BROKEN]
    assert "counts.npz" in row.runs[1].problem


@pytest.mark.parametrize("is_relative", [True, False])
def test_problems_name_no_folder_of_this_machine(
    is_relative: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lost = Failure(kind="OSError", message=f"cannot write {tmp_path}/runs/x/counts.npz of {tmp_path}/other_runs/x")
    store = Store("runs" if is_relative else tmp_path / "runs")
    ids = {label: {0: save(store, spec_of(label), even(80, 60))} for label in ("torn", "damaged")}
    ids["lost"] = {0: save(store, spec_of("lost"), lost)}
    store.run(ids["torn"][0]).record_path.write_text("{")
    store.run(ids["damaged"][0]).counts_path.write_bytes(b"no counts")
    torn, damaged, failed = (row.runs[0].problem for row in read_rows(store, plan_of(ids)))
    assert torn.startswith(f"{ids['torn'][0]}/record.json is broken") and str(tmp_path) not in damaged
    assert failed == f"OSError: cannot write x/counts.npz of {tmp_path}/other_runs/x"


def test_runs_whose_own_code_has_changed_are_stale(tmp_path: Path) -> None:
    store, file = Store(tmp_path), "methods/maskclip.py"
    ids = {0: save(store, spec_of(seed=0), even(80, 60), code={file: "older"})}
    ids[1] = save(store, spec_of(seed=1), even(80, 60), code={file: digest_module(file)})
    row = one_row(store, ids)
    assert [run.is_stale for run in row.runs] == [True, False]
    assert row.runs[0].changes == (f"{file} changed",)


@pytest.mark.parametrize(
    "change",
    [{"max_images": 5}, {"dataset_fingerprint": "g"}, {"split_digest": "6"}, {"protocol": Protocol(gamma=0.1)}],
)
def test_rows_of_different_settings_are_not_comparable(tmp_path: Path, change: dict[str, Any]) -> None:
    store = Store(tmp_path)
    ids = [save(store, spec, even(80, 60)) for spec in (spec_of(), spec_of(**change))]
    rows = read_rows(store, plan_of({"one": {0: ids[0]}, "other": {0: ids[1]}}))
    with pytest.raises(ValueError, match=f"'one' and 'other' are not comparable .{next(iter(change))}"):
        find_shared_setting(rows)


def test_an_unknown_convention_is_no_fault_of_the_runs(tmp_path: Path) -> None:
    store = Store(tmp_path)
    unknown: Any = "d2"
    with pytest.raises(ValueError, match="convention"):
        read_rows(store, two_rows(store), convention=unknown)


def test_two_conventions_never_share_a_table(tmp_path: Path) -> None:
    store = Store(tmp_path)
    rows = read_rows(store, two_rows(store))
    with pytest.raises(ValueError, match=r"different conventions \(d2-main, mmseg"):
        find_shared_setting([rows[0], replace(rows[1], convention="mmseg")])


def test_cost_is_the_median_of_the_runs() -> None:
    times = (100.0, 130.0, 900.0)
    cost = compute_median_cost([COST.model_copy(update={"train_seconds": seconds}) for seconds in times])
    assert cost is not None
    assert (cost.train_seconds, cost.trainable_parameters, cost.image_size) == (130.0, 250_000, (64, 64))
    assert compute_median_cost([]) is None


def test_a_table_parses_each_record_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, parsed = Store(tmp_path), list[str]()
    plan = two_rows(store)

    def count_parses(cls: type[RunRecord], /, text: bytes, **options: Any) -> RunRecord:
        record = parse(text, **options)
        parsed.append(record.spec.id)
        return record

    parse = RunRecord.model_validate_json
    monkeypatch.setattr(RunRecord, "model_validate_json", classmethod(count_parses))
    for fmt in FORMATS:
        parsed.clear()
        render(collect_results(read_rows(store, plan)), fmt=fmt)
        assert sorted(parsed) == sorted(plan.ids)


def test_files_of_a_run_that_is_done_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, opened = Store(tmp_path), list[str]()
    ids = {0: save(store, spec_of(), even(80, 60))}

    def count_opens(path: Path, *arguments: Any, **options: Any) -> Any:
        opened.extend([path.name] if path.is_relative_to(tmp_path) else [])
        return open_path(path, *arguments, **options)

    open_path = Path.open
    monkeypatch.setattr(Path, "open", count_opens)
    assert one_row(store, ids).done and sorted(opened) == ["counts.npz", "record.json"]
