"""Tests of `benchmark.api`: what importing it loads, and results as a data frame."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from benchmark import api
from benchmark.core.plan import Plan
from benchmark.core.run_record import Failure
from benchmark.evaluation.scores import DATASET_METRICS
from benchmark.store.store import Store
from tests.report.world import plan_of, save, spec_of, two_rows

README = Path(__file__).resolve().parents[1] / "README.md"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Store in the folder `runs` of the working directory, with the study "demo"."""
    monkeypatch.chdir(tmp_path)
    store = Store("runs")
    store.write_plan(two_rows(store))
    return store


def add_rows(store: Store, **rows: dict[int, str]) -> Plan:
    """Add rows to the plan of "demo"."""
    plan = plan_of({row.label: row.ids for row in store.read_plan("demo").rows} | rows)
    store.write_plan(plan)
    return plan


def test_importing_the_api_loads_neither_pandas_nor_reports() -> None:
    code = "import sys, benchmark.api; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not [name for name in modules if name.startswith(("pandas", "benchmark.report", "benchmark.store"))]


def test_the_example_of_load_results_works(store: Store) -> None:
    parsed = doctest.DocTestParser().get_doctest(
        api.load_results.__doc__ or "", {"load_results": api.load_results}, "load_results", None, None
    )
    results = doctest.DocTestRunner(verbose=False).run(parsed)
    assert (results.attempted, results.failed) == (3, 0)


def test_the_example_in_the_readme_works(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```py\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    add_rows(store, lost={0: save(store, spec_of("lost"), Failure(kind="ValueError", message="torn"))})
    exec(code.replace('"ablations"', '"demo"'), {})
    printed = capsys.readouterr().out
    assert re.search(r"no SGD toybox +36\.98\d* +37\.08\d* +37\.19\d*\n", printed)
    assert re.search(r"no SGD +37\.[01]\d* +NaN +1\n", printed)
    assert "failed  ValueError: torn" in printed


def test_results_have_one_line_per_run_class_and_metric(store: Store) -> None:
    results = api.load_results("demo")
    assert len(results) == results.groupby(["row", "seed", "class", "metric"], dropna=False).ngroups
    assert set(results["metric"]) > {*DATASET_METRICS, "iou", "latency_ms"}
    first = results[results["metric"] == "miou_seen"].iloc[0]
    facts = ("study", "row", "variant", "split", "protocol", "engine", "seed", "state", "stale", "convention")
    assert [first[name] for name in facts] == [
        "demo",
        "paper",
        "paper",
        "toybox",
        "plain",
        "fabric",
        0,
        "done",
        False,
        "d2-main",
    ]
    assert first["value"] == pytest.approx(100 * 80 / 120)


def test_failed_and_missing_runs_have_their_state_and_nan_values(store: Store) -> None:
    failed = save(store, spec_of("lost"), Failure(kind="ValueError", message="torn"))
    add_rows(store, lost={0: failed, 1: spec_of("lost", seed=1).id}, never={0: spec_of("never").id})
    results = api.load_results("demo")
    without = results[results["row"].isin(["lost", "never"])]
    assert without["value"].isna().all()
    runs = without.drop_duplicates("run_id")[["row", "seed", "state", "problem"]].to_numpy().tolist()
    assert runs == [
        ["lost", 0, "failed", "ValueError: torn"],
        ["lost", 1, "missing", "missing"],
        ["never", 0, "missing", "missing"],
    ]
    assert set(results[results["row"] == "lost"]["variant"]) == {"lost"}


def test_a_study_without_any_result_is_a_frame_of_nan(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write_plan(plan_of({"never": {0: spec_of("never").id}}))
    results = api.load_results("demo", runs=tmp_path)
    assert set(results["state"]) == {"missing"} and results["value"].isna().all()
    assert pd.api.types.is_float_dtype(results["value"])


def test_the_folder_of_the_runs_is_that_of_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store(tmp_path).write_plan(plan_of({"never": {0: spec_of("never").id}}))
    monkeypatch.setenv("CHIMERA_BENCH_RUNS", str(tmp_path))
    assert set(api.load_results("demo")["row"]) == {"never"}


def test_the_convention_is_that_of_the_scores(store: Store) -> None:
    main, mmseg = (api.load_results("demo", convention=name) for name in ("d2-main", "mmseg"))
    assert set(mmseg["convention"]) == {"mmseg"}
    assert not main["value"].equals(mmseg["value"])


def test_an_unknown_study_is_refused(store: Store) -> None:
    with pytest.raises(KeyError, match="no study, method or run 'dmeo'; did you mean 'demo'"):
        api.load_results("dmeo")
