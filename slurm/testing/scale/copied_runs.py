"""Large stores for timing: copies of finished runs under new ids, which every command takes for runs of their own.

`python -m slurm.testing.scale.copied_runs SOURCE TARGET --runs 10000` fills a folder and plans its runs as a study.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator, Sequence
from itertools import count, islice
from pathlib import Path

import typer

from benchmark.core.plan import Plan, PlanRow
from benchmark.core.run_record import RunRecord
from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.store.run_folder import RunFolder
from benchmark.store.store import Store
from benchmark.utils.atomic_files import format_json

SEEDS = 3
"""Number of runs of a row."""
STUDY = "copied"
"""Name of the study of all copies."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill a store with command line arguments and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m slurm.testing.scale.copied_runs", description=__doc__)
    parser.add_argument("source", type=Path, help="folder of finished runs")
    parser.add_argument("target", type=Path, help="folder of the copies, which must not exist")
    parser.add_argument("--runs", type=int, default=10_000, help="number of copies (%(default)s)")
    options = parser.parse_args(arguments)
    plan = copy_runs(Store(options.source), Store(options.target), runs=options.runs)
    typer.echo(f"{len(plan.ids)} runs in {len(plan.rows)} rows of study {plan.study!r} in {options.target}")
    return 0


def copy_runs(source: Store, target: Store, *, runs: int) -> Plan:
    """Copy finished runs until there are enough, and return the plan of the copies, which is saved.

    Every copy of a row has a setting of its own in its config, `copy`, so that its ids are those of its specs and no
    table joins it with another row. Records, specs and counts are copied, and nothing else.

    Args:
        source: Store of finished runs.
        target: Store of the copies.
        runs: Number of copies.

    Raises:
        ValueError: There are no finished runs.
        FileExistsError: The folder of the copies exists.
    """
    records = read_firsts(source)
    if not records:
        raise ValueError(f"{source.root} has no finished run to copy: run a study there first")
    target.root.mkdir(parents=True)
    rows: list[PlanRow] = []
    for number, record in islice(_iterate_rows(records), -(-runs // SEEDS)):
        wanted = range(min(SEEDS, runs - SEEDS * len(rows)))
        specs = [_change_spec(record.spec, number=number, seed=seed) for seed in wanted]
        for spec in specs:
            _copy_run(source.run(record.spec.id), target, record.model_copy(update={"spec": spec}))
        ids = {spec.seed: spec.id for spec in specs}
        rows.append(PlanRow(label=specs[0].label, method=specs[0].method, split=specs[0].split, ids=ids))
    splits = dict.fromkeys(row.split for row in rows)
    plan = Plan(
        study=STUDY,
        title=f"{runs} copied runs",
        rows=tuple(sorted(rows, key=lambda row: list(splits).index(row.split))),
    )
    target.write_plan(plan)
    return plan


def read_firsts(source: Store) -> list[RunRecord]:
    """Return the record of the first finished run of every row."""
    firsts: dict[str, RunRecord] = {}
    for run_id in source.list_ids():
        snapshot = source.run(run_id).read_snapshot()
        if snapshot.state is RunState.DONE and snapshot.record is not None:
            firsts.setdefault(snapshot.record.spec.with_seed(0).id, snapshot.record)
    return list(firsts.values())


def _iterate_rows(records: Sequence[RunRecord]) -> Iterator[tuple[int, RunRecord]]:
    """Yield rows without end: a number that is new for each round of the records, and a record."""
    for number in count():
        for record in records:
            yield number, record


def _change_spec(spec: RunSpec, *, number: int, seed: int) -> RunSpec:
    """Return the spec of a copy."""
    setting = {"copy": number}
    changes = {"overrides": spec.overrides | setting, "config": spec.config | setting, "seed": seed}
    changes["config_identity"] = spec.config_identity | setting
    return RunSpec.model_validate({name: getattr(spec, name) for name in RunSpec.model_fields} | changes)


def _copy_run(source: RunFolder, target: Store, record: RunRecord) -> None:
    """Copy the counts of a run into the folder of its copy, which gets a record."""
    folder = target.run(record.spec.id)
    folder.path.mkdir()
    folder.spec_path.write_text(format_json(record.spec), encoding="utf-8")
    shutil.copyfile(source.counts_path, folder.counts_path)
    folder.record_path.write_text(format_json(record), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
