"""What looks at one run and changes nothing: `show`, `logs`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark.cli.console import AsJson, open_store, print_json, print_line
from benchmark.cli.status import is_stale

if TYPE_CHECKING:
    from benchmark.core.run_spec import RunSpec
    from benchmark.store.store import Store

RunId = Annotated[str, typer.Argument(metavar="ID", help="Id of a run, or a part of it that fits one run.")]


def show(context: typer.Context, run_id: RunId, as_json: AsJson = False) -> None:
    """Everything about one run. Spec, environment, scores under all conventions, cost, failure."""
    store = open_store(context)
    found = store.find(run_id)
    details = _details(store, found)
    if as_json:
        print_json(details)
        return
    for line in _lines(details):
        print_line(line)


def logs(
    context: typer.Context,
    run_id: RunId,
    attempt: Annotated[int | None, typer.Option(min=1, help="Which attempt; the latest if not given.")] = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Only the last lines; 0 for all.")] = 0,
) -> None:
    """The log of a run."""
    store = open_store(context)
    path = _log(store, store.find(run_id), attempt)
    text = path.read_text(encoding="utf-8", errors="replace").splitlines()
    for line in text[-lines:] if lines else text:
        print_line(line)


def _log(store: Store, run_id: str, attempt: int | None) -> Path:
    """The log of a run's attempt; of its job where the run never began, which is then what says why."""
    from slurm.requests.manifest import places
    from slurm.status.reconcile import job_log

    try:
        return store.log(run_id, attempt)
    except KeyError:
        place = places(store).get(run_id)
        if place is None or not job_log(place).is_file():
            raise
        return job_log(place)


def _details(store: Store, run_id: str) -> dict[str, Any]:
    state = store.state(run_id)
    details: dict[str, Any] = {"id": run_id, "state": state, "folder": str(store.folder(run_id))}
    if state not in ("done", "failed", "broken"):
        return details | {"spec": _dumped(store.spec(run_id)), "heartbeat": store.last_heartbeat(run_id)}
    record = store.record(run_id)
    details |= {"stale": is_stale(record)} | record.model_dump(mode="json") | {"spec": _dumped(record.spec)}
    if record.state == "done":
        details["scores"] = _scores(store, run_id)
    return details


def _dumped(spec: RunSpec) -> dict[str, Any]:
    return spec.model_dump(mode="json")


def _scores(store: Store, run_id: str) -> dict[str, dict[str, float]]:
    """Scores by convention and metric, and IoU by class under the first."""
    from benchmark.evaluation.scores import CONVENTIONS, METRICS, score

    found: dict[str, dict[str, float]] = {}
    counts = store.counts(run_id)
    by_convention = {convention: score(counts, convention) for convention in CONVENTIONS}
    for name, scores in by_convention.items():
        found[name] = {metric: getattr(scores, metric) for metric in METRICS}
    first = by_convention[CONVENTIONS[0]]
    per_class = dict(zip(counts.classes, first.iou, strict=True))
    return found | {f"IoU by class ({CONVENTIONS[0]})": per_class}


def _lines(details: dict[str, Any]) -> list[str]:
    """A few sections, each a title and indented entries."""
    lines = [f"{details['id']}: {details['state']}" + (", STALE: made by other code" if details.get("stale") else "")]
    for key in ("title", "supervision", "reconstruction", "attempts", "started", "finished", "folder", "counts_digest"):
        if details.get(key):
            lines.append(f"  {key}: {details[key]}")
    for title in ("spec", "environment", "heartbeat", "cost"):
        if details.get(title):
            lines += ["", title, *_indented(details[title])]
    if details.get("scores"):
        lines += ["", "scores, in percent", *_score_lines(details["scores"])]
    failure = details.get("failure")
    if failure:
        lines += ["", f"failure: {failure['kind']}: {failure['message']}"]
        lines += [f"  | {line}" for line in failure["log_tail"].splitlines()]
    return lines


def _indented(values: dict[str, Any], depth: int = 1) -> list[str]:
    lines: list[str] = []
    for key, value in values.items():
        nested = isinstance(value, dict) and value
        lines.append(f"{'  ' * depth}{key}:" + ("" if nested else f" {value}"))
        lines += _indented(value, depth + 1) if nested else []
    return lines


def _score_lines(scores: dict[str, dict[str, float]]) -> Sequence[str]:
    lines = []
    for name, values in scores.items():
        lines.append(f"  {name}: " + "  ".join(f"{key} {value:.2f}" for key, value in values.items()))
    return lines
