"""What looks at runs and changes nothing: `status`, `show`, `logs`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark.cli.console import AsJson, duration, losses_text, say, say_columns, say_json, store_of
from benchmark.cli.studies import tally

if TYPE_CHECKING:
    from benchmark.run import RunRecord, RunSpec
    from benchmark.store import Store

RunId = Annotated[str, typer.Argument(metavar="ID", help="Id of a run, or a part of it that fits one run.")]


def status(
    context: typer.Context,
    study: Annotated[str | None, typer.Argument(help="Only the runs of this study, as last planned.")] = None,
    as_json: AsJson = False,
) -> None:
    """Where every run stands. Reads only, and never changes a run."""
    store = store_of(context)
    entries = [_entry(store, run_id) for run_id in _ids(store, study)]
    if as_json:
        say_json(entries)
        return
    if entries:
        say_columns(["state", "progress", "attempts", "run", "latest"], [_cells(entry) for entry in entries])
    say(f"{tally([entry['state'] for entry in entries])} in {store.root}")
    stale = sum(entry["stale"] for entry in entries)
    if stale:
        say(f"{stale} made by other code than the present (*)")
    broken = [entry for entry in entries if entry["state"] == "broken"]
    for entry in broken:
        say(f"broken: {entry['message']}")


def show(context: typer.Context, run_id: RunId, as_json: AsJson = False) -> None:
    """Everything about one run. Spec, environment, scores under all conventions, cost, failure."""
    store = store_of(context)
    found = store.find(run_id)
    details = _details(store, found)
    if as_json:
        say_json(details)
        return
    for line in _lines(details):
        say(line)


def logs(
    context: typer.Context,
    run_id: RunId,
    attempt: Annotated[int | None, typer.Option(min=1, help="Which attempt; the latest if not given.")] = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Only the last lines; 0 for all.")] = 0,
) -> None:
    """The log of a run."""
    store = store_of(context)
    path = store.log(store.find(run_id), attempt)
    text = path.read_text(encoding="utf-8", errors="replace").splitlines()
    for line in text[-lines:] if lines else text:
        say(line)


def _ids(store: Store, study: str | None) -> list[str]:
    """Runs with a folder and runs that are only planned."""
    if study is not None:
        return list(store.plan(study).ids)
    ids = dict.fromkeys(store.ids())
    for name in store.plan_names():
        try:
            ids |= dict.fromkeys(store.plan(name).ids)
        except ValueError as error:
            typer.echo(f"warning: {error}", err=True)
    return list(ids)


def _entry(store: Store, run_id: str) -> dict[str, Any]:
    from benchmark.trace import seconds_left

    state = store.state(run_id)
    entry: dict[str, Any] = {"id": run_id, "state": state, "stage": "", "done": 0, "total": 0, "seconds_left": None}
    entry |= {"attempts": 0, "losses": {}, "message": "", "stale": False}
    if state in ("done", "failed", "broken"):
        return entry | _ended(store, run_id)
    entry["attempts"] = len(store.attempts(run_id))
    beat = store.last_heartbeat(run_id) or {}
    entry |= {key: beat[key] for key in ("stage", "done", "total", "losses") if key in beat}
    entry["seconds_left"] = seconds_left(beat) if state == "running" else None
    return entry


def _ended(store: Store, run_id: str) -> dict[str, Any]:
    try:
        record = store.record(run_id)
    except ValueError as error:
        return {"message": str(error)}
    message = f"{record.failure.kind}: {record.failure.message}" if record.failure else ""
    return {"attempts": record.attempts, "message": message, "stale": is_stale(record)}


def is_stale(record: RunRecord) -> bool:
    """Whether a result was made by other code than the present. A failure has no result."""
    from benchmark.environment import code_digest

    return record.state == "done" and record.environment.code_digest != code_digest()


def _cells(entry: dict[str, Any]) -> list[str]:
    progress = f"{entry['stage']} {entry['done']}/{entry['total']}" if entry["total"] else str(entry["stage"])
    if entry["seconds_left"] is not None:
        progress += f", {duration(entry['seconds_left'])} left"
    state = entry["state"] + ("*" if entry["stale"] else "")
    latest = entry["message"] if entry["state"] == "failed" else losses_text(entry["losses"])
    return [state, progress, str(entry["attempts"] or ""), entry["id"], latest]


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
