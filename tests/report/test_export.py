"""Tests of results in long format: lines per run, class and metric, of single images, and the files."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.report.export import load_frame, write_frames
from benchmark.report.frame import CLASS_METRICS, describe_left_out, list_frames, list_image_frames
from benchmark.report.named_rows import make_plan
from benchmark.report.rows import read_rows
from benchmark.report.tables.json_text import dump_json, format_csv
from benchmark.store.store import Store
from tests.report.world import CLASSES, hand_counts, plan_of, save, spec_of


@pytest.fixture
def frame(tmp_path: Path) -> pd.DataFrame:
    """Return the lines of one run with 70, 80, 30 and 50 of 200 pixels of each class predicted correctly."""
    store = Store(tmp_path)
    save(store, spec_of(overrides={"sgd.weight": 2}), hand_counts([[30, 40, 10, 20], [40, 40, 20, 30]]))
    return load_frame(store, make_plan(store, ["demo"]))


def test_every_class_has_its_metrics_and_pixels(frame: pd.DataFrame) -> None:
    lines = frame[frame["class"] == "cup"].set_index("metric")["value"]
    assert list(lines.index) == list(CLASS_METRICS)
    # 30 of 200 cup pixels are right; 170 go to fish, and 150 of fish come here
    assert lines.to_dict() == pytest.approx(
        {
            "iou": 100 * 30 / 350,
            "precision": 100 * 30 / 180,
            "recall": 15.0,
            "target_pixels": 200,
            "predicted_pixels": 180,
            "correct_pixels": 30,
        }
    )
    assert frame[frame["class"].notna()].groupby("class", sort=False)["seen"].first().to_dict() == dict(
        zip(CLASSES, (True, True, False, False), strict=True)
    )


def test_lines_state_where_they_are_from(frame: pd.DataFrame) -> None:
    first = frame.iloc[0]
    facts = ("study", "row", "variant", "overrides", "split", "protocol", "max_images", "seed", "state")
    assert [first[name] for name in facts] == [
        "demo", "paper [sgd.weight=2]", "paper", '{"sgd.weight":2}', "toybox", "plain", 0, 0, "done"
    ]  # fmt: skip


def test_every_row_has_the_studies_it_is_from(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ids = {label: {0: save(store, spec_of(label), hand_counts([[30, 40, 10, 20]]))} for label in ("a", "b", "c")}
    for study, labels in (("one", "ab"), ("two", "bc")):
        store.write_plan(plan_of({label: ids[label] for label in labels}).model_copy(update={"study": study}))
    lines = load_frame(store, make_plan(store, ["one", "two"]))
    assert lines.groupby("row")["study"].unique().map(list).to_dict() == {"a": ["one"], "b": ["one, two"], "c": ["two"]}


def test_single_images_have_the_classes_in_them(tmp_path: Path) -> None:
    store = Store(tmp_path)
    save(store, spec_of(), hand_counts([[30, 40, 10, 20], [40, 40, 20, 30]]))
    (lines,) = list_image_frames(read_rows(store, make_plan(store, ["demo"])))
    assert set(lines["image"]) == {"image00", "image01"} and len(lines) == 2 * 4 * 4
    one = lines[(lines["image"] == "image01") & (lines["class"] == "grass") & (lines["metric"] == "iou")]
    assert one["value"].item() == pytest.approx(100 * 40 / 160)  # of 100 pixels, 40 right, and 60 of water


def test_splits_with_other_classes_keep_their_own(tmp_path: Path) -> None:
    store = Store(tmp_path)
    counts = hand_counts([[30, 40, 10, 20]])
    save(store, spec_of(), counts)
    save(store, spec_of(split="voc12"), replace(counts, classes=("sky", "dog", "cat", "cow")))
    lines = load_frame(store, make_plan(store, ["demo"]))
    classes = lines.dropna(subset=["class"]).groupby("split")["class"].unique()
    assert {split: list(names) for split, names in classes.items()} == {
        "toybox": list(CLASSES),
        "voc12": ["sky", "dog", "cat", "cow"],
    }


def test_files_hold_the_same_lines(frame: pd.DataFrame, tmp_path: Path) -> None:
    for name in ("lines.csv", "lines.json"):
        assert write_frames(iter([frame]), tmp_path / name) == len(frame)
    table, values = pd.read_csv(tmp_path / "lines.csv"), json.loads((tmp_path / "lines.json").read_text())
    assert list(table.columns) == list(frame.columns) == list(values[0])
    assert table["value"].tolist() == pytest.approx(frame["value"].tolist(), abs=1e-6)
    assert [line["value"] for line in values] == table["value"].tolist()


def test_a_suffix_that_names_no_format_is_refused(frame: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has none of the suffixes \.csv, \.json, \.parquet"):
        write_frames(iter([frame]), tmp_path / "lines.xls")


def test_parquet_needs_an_optional_package_and_keeps_the_types(frame: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "lines.parquet"
    if find_spec("pyarrow") is None:
        with pytest.raises(ValueError, match=r"needs pyarrow: pip install 'chimera-bench\[parquet\]'"):
            write_frames(iter([frame]), path)
        assert not path.exists()
    else:
        write_frames(iter([frame]), path)
        pd.testing.assert_frame_equal(pd.read_parquet(path), frame)


@pytest.mark.parametrize("suffix", [".csv", ".json", ".parquet"])
def test_lines_that_are_written_in_parts_give_the_same_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow", reason="parquet needs pyarrow")
    store = Store(tmp_path)
    ids = {"done": {0: save(store, spec_of("done"), hand_counts([[30, 40, 10, 20]]))}, "lost": {0: "x-s0-0"}}
    rows = read_rows(store, plan_of(ids | {"other": ids["done"]}))
    written: list[pd.DataFrame] = []
    for lines in (50_000, 1):
        monkeypatch.setattr("benchmark.report.frame.PART_LINES", lines)
        parts, path = list(list_frames(rows)), tmp_path / f"{lines}{suffix}"
        assert len(parts) == (1 if lines > 1 else 3) and write_frames(iter(parts), path) == sum(map(len, parts))
        written.append(pd.read_parquet(path) if suffix == ".parquet" else pd.DataFrame([path.read_text()]))
    pd.testing.assert_frame_equal(written[0], written[1])


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=1, max_size=5))
def test_csv_and_json_keep_every_text(texts: list[str]) -> None:
    rows = list(csv.reader(io.StringIO(format_csv(pd.DataFrame({"label": texts, "x": 1.0})), newline="")))
    assert [row[0] for row in rows[1:]] == texts
    assert json.loads(dump_json(texts)) == texts


def test_a_plan_without_runs_has_lines_of_nothing(tmp_path: Path) -> None:
    lines = load_frame(Store(tmp_path), plan_of({"never": {0: spec_of("never").id}}))
    assert lines["value"].isna().all() and set(lines["state"]) == {"missing"}
    (part,) = list_image_frames(read_rows(Store(tmp_path), plan_of({"never": {0: "x-s0-0"}})))
    assert part.empty


def test_runs_that_have_no_lines_of_images_are_named(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ids = {0: save(store, spec_of("some"), hand_counts([[30, 40, 10, 20]])), 1: "some-s1-1"}
    broken = save(store, spec_of("broken"), hand_counts([[30, 40, 10, 20]]))
    store.run(broken).counts_path.write_bytes(b"cut short")
    plan = plan_of({"some": ids, "broken": {0: broken}, **{name: {0: f"{name}-s0-0"} for name in "abc"}})
    assert describe_left_out(read_rows(store, plan)) == [
        "5 runs without a result have no lines: some seed 1 on toybox (missing); broken seed 0 on toybox (broken); a "
        "seed 0 on toybox (missing); and 2 more"
    ]
    assert describe_left_out(read_rows(store, plan_of({"some": {0: ids[0]}}))) == []
