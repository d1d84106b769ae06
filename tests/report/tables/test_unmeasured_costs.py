"""Tables of runs whose cost was measured in part: unknown figures are dashes, and notes say why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmark.core.run_record import Cost
from benchmark.report.result_row import compute_median_cost
from benchmark.report.rows import read_rows
from benchmark.report.study_results import collect_results
from benchmark.report.tables.comparison_table import render as render_comparison
from benchmark.report.tables.study_table import render
from benchmark.store.store import Store
from tests.report.world import COST, compare_ids, even, plan_of, save, spec_of

OFF = Cost(trainable_parameters=250_000, train_seconds=240.0, peak_memory_mb=800.0, unmeasured="switched off")


def render_table(store: Store, *costs: Cost, **options: Any) -> str:
    ids = {str(k): {0: save(store, spec_of(str(k)), even(80, 60), cost=cost)} for k, cost in enumerate(costs)}
    return render(collect_results(read_rows(store, plan_of(ids))), **options)


def test_unknown_figures_are_dashes_and_known_ones_stay(tmp_path: Path) -> None:
    text = render_table(Store(tmp_path), COST, OFF, fmt="md")
    row = next(line for line in text.splitlines() if line.startswith("| 1"))
    assert [field.strip() for field in row.split("|")[-5:]] == ["0.250 / -", "-", "4.00", "-", ""]


def test_a_table_without_any_measured_cost_says_so(tmp_path: Path) -> None:
    text = " ".join(render_table(Store(tmp_path), OFF).split())
    assert "Other figures of cost were not measured." in text and "GFLOPs" not in text


@pytest.mark.parametrize(
    ("fmt", "text"), [("csv", ",250000,,,,240.0,,800.0,"), ("json", '"inference_flops": null'), ("tex", "0.250 / -")]
)
def test_every_format_leaves_unknown_figures_open(tmp_path: Path, fmt: str, text: str) -> None:
    assert text in render_table(Store(tmp_path), COST, OFF, fmt=fmt)


def test_the_median_is_that_of_the_costs_that_have_the_figure() -> None:
    slow = COST.model_copy(update={"latency_ms": 37.5})
    cost = compute_median_cost([OFF, COST, slow])
    assert cost is not None and (cost.latency_ms, cost.image_size) == (25.0, (64, 64))
    assert compute_median_cost([OFF]) == OFF.model_copy(update={"unmeasured": ""})


def test_a_comparison_has_no_ratio_to_an_unknown_figure(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ids = [save(store, spec_of(label), even(80, 60), cost=cost) for label, cost in (("a", COST), ("b", OFF))]
    text = render_comparison(compare_ids(store, {0: ids[0]}, {0: ids[1]}), fmt="md")
    line = next(line for line in text.splitlines() if "test image (ms)" in line)
    assert [field.strip() for field in line.split("|")[2:-1]] == ["12.5", "-", "-"]
