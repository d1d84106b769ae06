"""Whatever happens to runs on a cluster, they come to what they come to in peace: `python -m slurm.testing.chaos.__main__`.

A study is run undisturbed on this machine, then again on a real cluster, while jobs are cancelled, processes killed and
nodes lost, and somebody submits what is open now and then. It ends with 0 if all runs are done with the same counts.
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

from benchmark.store.store import Store
from slurm.testing import Cluster, Layout, stop_abandoned
from slurm.testing.chaos.command_runner import Desk, write_study
from slurm.testing.chaos.comparison import compare, in_words, is_good, result_of
from slurm.testing.chaos.driver import Storm
from slurm.testing.chaos.faults import DISTURBANCES, dealt
from slurm.testing.chaos.targets import Scene

START_S = 5.0
"""A process loads libraries for about so long before its attempt begins."""

FILES = Path(__file__).resolve().parent
STUDY = FILES / "study.yaml"
UNDISTURBED, DISTURBED = FILES / "undisturbed.yaml", FILES / "profile.yaml"
LAYOUT = Layout(cpus=1, gpus=0)
"""A node holds one job: more at a time would only wait for the processors of this machine."""

AT_ONCE = 2
"""Undisturbed runs at a time, as their profile says."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; returns the exit code."""
    given = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))  # as an exception, so that whatever was started is ended
    folder = Path(given.keep or tempfile.mkdtemp(prefix="chaos-")).absolute()
    try:
        is_fine = _compared(folder, runs=given.runs, chance=random.Random(given.seed), limit_s=60 * given.minutes)
    except (FileExistsError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    if is_fine and given.keep is None:
        shutil.rmtree(folder)
    else:
        print(f"all of it is kept in {folder}")
    return 0 if is_fine else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m slurm.testing.chaos.__main__", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--runs", type=int, default=60, help="of the study, in three rows (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="decides what happens to which run (%(default)s)")
    parser.add_argument("--minutes", type=float, default=30, help="that the disturbed runs may take (%(default)s)")
    parser.add_argument("--keep", metavar="FOLDER", help="for all files; undisturbed runs in it are used again")
    return parser


def _compared(folder: Path, *, runs: int, chance: random.Random, limit_s: float) -> bool:
    """Run the study twice and print what came of it; whether both came to the same."""
    folder.mkdir(parents=True, exist_ok=True)
    peaceful, disturbed = Store(folder / "undisturbed"), Store(folder / "disturbed")
    if disturbed.root.exists():
        raise FileExistsError(f"{disturbed.root} is of an earlier time: move it away")
    study = write_study(STUDY, folder / "chaos.yaml", runs=runs)
    ids = _run_undisturbed(peaceful, study)
    before, pace_s = {run_id: result_of(peaceful, run_id) for run_id in ids}, _pace_s(peaceful, ids)
    happened = _run_disturbed(disturbed, study, ids, pace_s=pace_s, chance=chance, limit_s=limit_s)
    cells = compare(before, {run_id: result_of(disturbed, run_id) for run_id in disturbed.ids()})
    for line in in_words(cells, happened):
        print(line)
    return is_good(cells)


def _run_undisturbed(store: Store, study: Path) -> tuple[str, ...]:
    """Run it on this machine, through the same worker processes; returns the ids of its runs."""
    print(f"undisturbed, into {store.root}", file=sys.stderr)
    words = ("submit", str(study), "--cluster", str(UNDISTURBED))
    with Desk(store.root).begun(*words, shown=True) as process:
        if code := process.wait():
            raise RuntimeError(f"the undisturbed runs ended with {code}")
    return store.plan(study.stem).ids


def _pace_s(store: Store, ids: Sequence[str]) -> float:
    """Seconds in which this machine does one run of many: with a mishap as often, there is one for each."""
    records = [store.record(run_id) for run_id in ids]
    step_context = datetime.fromisoformat
    taken_s = mean((step_context(one.finished) - step_context(one.started)).total_seconds() for one in records)
    return (START_S + taken_s) / AT_ONCE


def _run_disturbed(
    store: Store, study: Path, ids: Sequence[str], *, pace_s: float, chance: random.Random, limit_s: float
) -> Mapping[str, int]:
    """Run it on a cluster, in a storm of so many mishaps as there are runs; returns how often what happened."""
    begun = time.monotonic()

    def tell(line: str) -> None:
        print(f"{time.monotonic() - begun:5.0f} s  {line}", file=sys.stderr, flush=True)

    tell(f"disturbed every {pace_s:.0f} s or so, into {store.root}")
    stop_abandoned()
    with Cluster(LAYOUT, keep_logs=store.root.with_name("logs")) as cluster:
        desk = Desk(store.root, cluster.environment)
        scene = Scene(cluster, desk, study, DISTURBED, chance)
        storm = Storm(scene, ids, dealt(max(len(ids), len(DISTURBANCES)), chance), pace_s, tell)
        storm.rage(until=begun + limit_s)
    return dict.fromkeys(DISTURBANCES, 0) | storm.happened


if __name__ == "__main__":
    sys.exit(main())
