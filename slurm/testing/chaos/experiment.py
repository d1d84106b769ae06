"""Chaos experiment: check that runs on a faulty cluster produce the same counts as undisturbed runs.

A study is run undisturbed on this machine, then again on a real cluster while jobs are canceled, processes killed and
nodes lost, and unfinished runs are resubmitted from time to time. The exit code is 0 if all runs are done with the same
counts.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from statistics import mean

import typer

from benchmark.store.store import Store
from benchmark.utils.exit_codes import ExitCode
from slurm.testing import Cluster, ClusterLayout, stop_abandoned_clusters
from slurm.testing.chaos.command_runner import CommandRunner, write_study
from slurm.testing.chaos.comparison import are_identical, compare_outcomes, format_report, read_outcome
from slurm.testing.chaos.driver import ChaosDriver
from slurm.testing.chaos.faults import FAULTS, draw_faults
from slurm.testing.chaos.targets import ClusterTargets

START_S = 5.0
"""Approximate seconds between the start of a process and the start of its attempt."""

FILES = Path(__file__).resolve().parent
STUDY = FILES / "study.yaml"
UNDISTURBED, DISTURBED = FILES / "undisturbed.yaml", FILES / "profile.yaml"
LAYOUT = ClusterLayout(cpus=1, gpus=0)
"""One job per node: concurrent jobs would only compete for the processors of this machine."""

CONCURRENT_RUNS = 2
"""Number of concurrent undisturbed runs, as in their profile."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the experiment with command line arguments and return the exit code."""
    options = _make_parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(ExitCode.INTERRUPTED))  # raises: started processes are ended
    folder = Path(options.keep or tempfile.mkdtemp(prefix="chaos-")).absolute()
    rng = random.Random(options.seed)
    try:
        is_identical = run_experiment(folder, runs=options.runs, rng=rng, limit_s=60 * options.minutes)
    except (FileExistsError, RuntimeError) as error:
        typer.echo(error, err=True)
        return 1
    if is_identical and options.keep is None:
        shutil.rmtree(folder)
    else:
        typer.echo(f"all files are kept in {folder}")
    return 0 if is_identical else 1


def run_experiment(folder: Path, *, runs: int, rng: random.Random, limit_s: float) -> bool:
    """Run the study without and with faults and print the report.

    Args:
        folder: Folder for all files; undisturbed runs in it are reused.
        runs: Number of runs of the study.
        rng: Random generator that decides faults and targets.
        limit_s: Seconds that the disturbed runs may take.

    Returns:
        Whether all runs are done with the same counts.

    Raises:
        FileExistsError: The folder has disturbed runs already.
        RuntimeError: The undisturbed runs or the cluster failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    undisturbed, disturbed = Store(folder / "undisturbed"), Store(folder / "disturbed")
    if disturbed.root.exists():
        raise FileExistsError(f"{disturbed.root} has the runs of an earlier experiment: move it away")
    study = write_study(STUDY, folder / "chaos.yaml", runs=runs)
    ids = _run_undisturbed(undisturbed, study)
    expected = {run_id: read_outcome(undisturbed, run_id) for run_id in ids}
    driver_options = {"mean_interval_s": _compute_seconds_per_run(undisturbed, ids), "limit_s": limit_s}
    event_counts = _run_disturbed(disturbed, study, ids, rng=rng, **driver_options)
    comparisons = compare_outcomes(
        expected, {run_id: read_outcome(disturbed, run_id) for run_id in disturbed.list_ids()}
    )
    for line in format_report(comparisons, event_counts):
        typer.echo(line)
    return are_identical(comparisons)


def _make_parser() -> argparse.ArgumentParser:
    description = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m slurm.testing.chaos", description=description)
    parser.add_argument("--runs", type=int, default=60, help="number of runs, in three rows (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed that decides faults and targets (%(default)s)")
    parser.add_argument("--minutes", type=float, default=30, help="time limit of the disturbed runs (%(default)s)")
    parser.add_argument("--keep", metavar="FOLDER", help="keep all files here; undisturbed runs in it are reused")
    return parser


def _run_undisturbed(store: Store, study: Path) -> tuple[str, ...]:
    """Run the study on this machine, through the same worker processes, and return the ids of its runs."""
    typer.echo(f"undisturbed runs in {store.root}", err=True)
    command = ("submit", str(study), "--cluster", str(UNDISTURBED))
    with CommandRunner(store.root).start(*command, show_output=True) as process:
        if exit_code := process.wait():
            raise RuntimeError(f"the undisturbed runs exited with {exit_code}")
    return store.read_plan(study.stem).ids


def _compute_seconds_per_run(store: Store, ids: Sequence[str]) -> float:
    """Return this machine's seconds per run; with faults at this interval, there is about one per run."""
    records = [store.run(run_id).read_record() for run_id in ids]
    durations = [datetime.fromisoformat(record.finished) - datetime.fromisoformat(record.started) for record in records]
    return (START_S + mean(duration.total_seconds() for duration in durations)) / CONCURRENT_RUNS


def _run_disturbed(
    store: Store, study: Path, ids: Sequence[str], *, mean_interval_s: float, rng: random.Random, limit_s: float
) -> Mapping[str, int]:
    """Run the study on a cluster with as many faults as runs and return the number of occurrences by event."""
    start_s = time.monotonic()

    def log(line: str) -> None:
        typer.echo(f"{time.monotonic() - start_s:5.0f} s  {line}", err=True)

    log(f"disturbed runs in {store.root}, one fault about every {mean_interval_s:.0f} s")
    stop_abandoned_clusters()
    with Cluster(LAYOUT, keep_logs=store.root.with_name("logs")) as cluster:
        runner = CommandRunner(store.root, cluster.environment)
        targets = ClusterTargets(cluster, runner, study, DISTURBED, rng)
        planned_faults = draw_faults(max(len(ids), len(FAULTS)), rng)
        driver = ChaosDriver(targets, ids, planned_faults, mean_interval_s, log)
        driver.run(deadline_s=start_s + limit_s)
    return dict.fromkeys(FAULTS, 0) | driver.event_counts
