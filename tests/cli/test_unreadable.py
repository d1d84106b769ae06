"""Files of another user that cannot be read: their run is broken with the reason, and the others are shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.store.store import Store
from benchmark.utils.paths import ROOT
from tests.report.world import spec_of, two_rows

AS_USER = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")
"""Command that makes the superuser respect the modes of files."""


def run_as_user(store: Store, *arguments: str, code: int = 0) -> str:
    """Run a command as a user who may not read everything, and return what it prints; errors if it is to fail."""
    before = AS_USER if os.geteuid() == 0 else ()
    if before and subprocess.run([*before, "true"], capture_output=True, check=False).returncode:
        pytest.skip("modes of files cannot be made to count")
    command = [*before, sys.executable, "-m", "benchmark", "--runs", str(store.root), *arguments]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == code, result.stderr
    return result.stderr if code else result.stdout


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return a store of two rows with three seeds, in which three runs of the first row cannot be read."""
    store = Store(tmp_path / "runs")
    plan = two_rows(store)
    store.write_plan(plan)
    first, _ = plan.rows
    for seed, name in enumerate(("record.json", "counts.npz", "")):
        (store.run(first.ids[seed]).path / name).chmod(0)
    return store


def test_status_shows_the_readable_runs_and_why_others_are_broken(store: Store) -> None:
    entries = {entry["id"]: entry for entry in json.loads(run_as_user(store, "status", "--json"))}
    first, second = store.read_plan("demo").rows
    assert [entries[run_id]["state"] for run_id in second.ids.values()] == ["done"] * 3
    record, _, folder = (entries[run_id] for run_id in first.ids.values())
    assert record["message"].endswith(
        "record.json cannot be read (Permission denied): ask its owner to make it readable"
    )
    assert folder["state"] == "broken" and f"{folder['id']} cannot be read (Permission denied)" in folder["message"]


def test_a_table_shows_the_readable_rows(store: Store) -> None:
    lines = run_as_user(store, "table", "demo").splitlines()
    assert any("no SGD" in line and "±" in line for line in lines)
    assert any("paper" in line and "broken" in line for line in lines)


def test_a_table_of_a_method_shows_the_unreadable_run_as_broken(store: Store) -> None:
    first, second = store.read_plan("demo").rows
    store.run(second.ids[0]).path.chmod(0)
    for name, ids in {"demo/paper": first.ids.values(), "demo/no SGD": [second.ids[0]]}.items():
        lines = run_as_user(store, "table", name).splitlines()
        assert all(any(run_id in line and "broken" in line for line in lines) for run_id in ids)


def test_a_row_that_cannot_be_read_is_not_the_baseline(store: Store) -> None:
    for run_id in store.read_plan("demo").rows[0].ids.values():
        store.run(run_id).path.chmod(0)
    table = json.loads(run_as_user(store, "table", "demo/paper", "demo/no SGD", "--json"))
    assert (table["rows"][0]["state"], table["baseline"]) == ("broken", "no SGD")


def test_a_folder_of_plans_that_cannot_be_read_leaves_the_runs_shown(store: Store) -> None:
    (store.root / "plans").chmod(0)
    assert len(json.loads(run_as_user(store, "status", "--json"))) == 6


def test_rerun_and_verify_say_why_a_run_cannot_be_read(store: Store) -> None:
    run_id = store.read_plan("demo").rows[0].ids[0]
    store.run(run_id).write_spec(spec_of())
    reason = "record.json cannot be read (Permission denied): ask its owner to make it readable"
    for options in ([], ["--dry-run"]):
        line = run_as_user(store, "rerun", run_id, *options, code=3)
        assert "skipped: " in line and reason in line and "retry" not in line
    assert f"{run_id} is broken (" in (line := run_as_user(store, "verify", run_id, code=1)) and reason in line
