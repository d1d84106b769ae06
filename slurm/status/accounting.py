"""What a grid cost and what its requests were worth: from the accounts, else from the runs' own files."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from benchmark.store.attempts import Attempt
from benchmark.store.store import Store
from slurm.requests.manifest import Submission, submissions
from slurm.scheduler.queue import history
from slurm.status.usage import advice, asked_for, usage_by


def summary(store: Store, ids: Collection[str]) -> list[str]:
    """Lines on the hours that runs took on a cluster; none where they never were on one."""
    wanted = set(ids)
    sent = [one for one in submissions(store) if one.sent and not wanted.isdisjoint(_runs(one))]
    if not sent:
        return []
    targets = {(one.sent.job, task) for one in sent if one.sent for task in _tasks_with(one, wanted)}
    known = history(targets, since=min(one.manifest.created for one in sent))
    by_name = {one.manifest.name: one.manifest for one in sent}
    # ours of the GPUs, as not every site keeps account of them
    attempts = [replace(view, gpus=by_name[view.name].gpus) for view in known.attempts if view.name in by_name]
    if not attempts:
        return [*known.notes, _from_files(store, sent, wanted)]
    lines = []
    for asked, used in usage_by(attempts, asked_for).items():
        gpus = f"{used.gpu_h:.2f} GPU-hours, " if used.gpu_h else ""
        lines.append(f"{used.attempts} starts of jobs with {asked}: {gpus}{used.cpu_h:.2f} CPU-hours")
        lines += [f"  {line}" for line in advice(used)]
    return lines


def _runs(one: Submission) -> set[str]:
    return {run_id for task in one.manifest.tasks for run_id in task}


def _tasks_with(one: Submission, wanted: set[str]) -> list[int]:
    return [at for at, task in enumerate(one.manifest.tasks) if not wanted.isdisjoint(task)]


def _from_files(store: Store, sent: Collection[Submission], wanted: set[str]) -> str:
    """Hours between the start of every attempt and the last line of its log."""
    shares = {
        run_id: (one.manifest.gpus / one.manifest.at_once, one.manifest.cpus / one.manifest.at_once)
        for one in sent
        for run_id in _runs(one) & wanted
    }
    gpu_s = cpu_s = 0.0
    count = 0
    for run_id, (gpus, cpus) in shares.items():
        for attempt in store.attempts(run_id):
            if attempt.owner.job is not None:
                seconds = _seconds(store, run_id, attempt)
                gpu_s, cpu_s, count = gpu_s + gpus * seconds, cpu_s + cpus * seconds, count + 1
    words = f"{gpu_s / 3600:.2f} GPU-hours, " if gpu_s else ""
    return f"{count} attempts at runs: {words}{cpu_s / 3600:.2f} CPU-hours, by the times in their logs"


def _seconds(store: Store, run_id: str, attempt: Attempt) -> float:
    try:
        ended = store.log(run_id, attempt.number).stat().st_mtime
    except KeyError:
        return 0.0
    return max(0.0, ended - datetime.fromisoformat(attempt.started).timestamp())
