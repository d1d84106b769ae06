"""`show`, `logs`: one run in detail. Read-only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark.cli.console import open_store, print_json, print_line, print_note, print_text
from benchmark.cli.options import AsJson, RunId
from benchmark.core.environment import describe_arithmetic
from benchmark.core.run_state import RunState
from benchmark.utils.exit_codes import ExitCode
from benchmark.utils.plain_text import clean_text

if TYPE_CHECKING:
    from benchmark.store.store import Store


def show(context: typer.Context, run_id: RunId, as_json: AsJson = False) -> None:
    """Show one run in detail. Spec, environment, scores under every convention, alarms, cost, failure."""
    store = open_store(context)
    details = _describe_run(store, store.find(run_id))
    if as_json:
        print_json(details)
        return
    for line in _format_details(details):
        print_line(line)


def logs(
    context: typer.Context,
    run_id: RunId,
    *,
    attempt: Annotated[int | None, typer.Option(min=1, help="Number of the attempt; default: the latest.")] = None,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, help="Number of lines, counted from the end; 0 for all.")
    ] = 0,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on printing, through all attempts, until the run ends.")
    ] = False,
) -> None:
    """Print the log of a run."""
    store = open_store(context)
    if follow:
        if attempt is not None:
            raise typer.BadParameter("goes through all attempts, so --attempt cannot be given", param_hint="--follow")
        raise typer.Exit(_follow(store, store.find(run_id), lines=lines))
    path = _find_log(store, store.find(run_id), attempt)
    text = path.read_text(encoding="utf-8", errors="replace").splitlines()
    for line in text[-lines:] if lines else text:
        print_line(line)


def _follow(store: Store, run_id: str, *, lines: int) -> int:
    """Print the log of a run as it is written, and return the exit code."""
    from benchmark.cli.follow import LogFollower
    from slurm.status.run_status import query_status

    def is_queued() -> bool:
        return query_status(store, [run_id]).runs[0].state.is_active

    follower = LogFollower(store.run(run_id), notify=print_note, is_queued=is_queued)
    try:
        for text in follower.follow(first_lines=lines):
            print_text(text)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    is_failed = store.run(run_id).read_state().is_failed
    return ExitCode.FINISHED_WITH_FAILURES if is_failed else ExitCode.SUCCESS


def _find_log(store: Store, run_id: str, attempt: int | None) -> Path:
    """Return the log of an attempt or, if the run was never started, the log of its job, which says why."""
    from slurm.requests.manifest import ignore_problem, locate_runs

    try:
        return store.run(run_id).find_log(attempt)
    except KeyError:
        task = locate_runs(store, notify=ignore_problem).get(run_id)
        if task is None or not task.log_path.is_file():
            raise
        return task.log_path


def _describe_run(store: Store, run_id: str) -> dict[str, Any]:
    from benchmark.evaluation.sanity import find_alarms
    from benchmark.report.alarms import list_alarms
    from benchmark.store.staleness import find_changes

    run = store.run(run_id)
    state = run.read_state()
    details: dict[str, Any] = {"id": run_id, "state": state, "folder": str(run.path)}
    if not state.is_final:
        return details | {"spec": run.read_spec().model_dump(mode="json"), "heartbeat": run.read_heartbeat()}
    record = run.read_record()
    details |= record.model_dump(mode="json")
    details |= {"traits": record.known_traits.model_dump(mode="json")}
    details |= {} if record.imported else {"arithmetic": describe_arithmetic(record.environment)}
    details |= {"continued_from": "; ".join(record.continued_from)}
    changes = find_changes(record, run)
    details |= {"stale": bool(changes), "changes": list(changes), "spec": record.spec.model_dump(mode="json")}
    if record.state is RunState.DONE:
        details["scores"], details["undefined"] = _compute_scores(store, run_id)
        alarms = list_alarms(record, find_alarms(run.read_counts(record)))
        details["alarms"] = [f"{alarm.summary} ({alarm.detail})" for alarm in alarms]
    return details


def _compute_scores(store: Store, run_id: str) -> tuple[dict[str, dict[str, float]], list[str]]:
    """Return scores by convention and metric, with the IoU by class under the first one, and why some are undefined."""
    from benchmark.evaluation.scores import CONVENTIONS, DATASET_METRICS, score
    from benchmark.evaluation.undefined_scores import describe_undefined_run

    table: dict[str, dict[str, float]] = {}
    counts = store.run(run_id).read_counts()
    by_convention = {convention: score(counts, convention) for convention in CONVENTIONS}
    for name, scores in by_convention.items():
        table[name] = {metric: getattr(scores, metric) for metric in DATASET_METRICS}
    first = by_convention[CONVENTIONS[0]]
    per_class = dict(zip(counts.classes, first.iou, strict=True))
    undefined = describe_undefined_run(counts, first, CONVENTIONS[0])
    return table | {f"IoU by class ({CONVENTIONS[0]})": per_class}, undefined


_SHOWN_FIELDS = (
    "title",
    "paper",
    "supervision",
    "reconstruction",
    "attempts",
    "started",
    "finished",
    "folder",
    "counts_digest",
    "arithmetic",
    "continued_from",
)


def _format_details(details: dict[str, Any]) -> list[str]:
    """Return sections, each with a title and indented entries."""
    lines = [f"{details['id']}: {details['state']}" + (", STALE" if details.get("stale") else "")]
    lines += [f"  stale: {change}" for change in details.get("changes", ())]
    for key in _SHOWN_FIELDS:
        if details.get(key):
            lines.append(f"  {key}: {clean_text(str(details[key]))}")
    if details.get("traits"):
        lines += ["", "traits", *_format_traits(details["traits"])]
    for title in ("imported", "spec", "environment", "inputs", "heartbeat", "cost"):
        if details.get(title):
            lines += ["", title, *_indent(details[title])]
    if details.get("scores"):
        lines += ["", "scores, in percent", *_format_scores(details["scores"])]
        lines += [f"  {reason}" for reason in details["undefined"]]
    if details.get("alarms"):
        lines += ["", "alarms", *(f"  {text}" for text in details["alarms"])]
    failure = details.get("failure")
    if failure:
        place = f" in {failure['place']}" if failure.get("place") else ""
        lines += ["", f"failure: {failure['kind']}{place}: {failure['message']}"]
        lines += [f"  | {line}" for line in failure["log_tail"].splitlines()]
    return lines


def _format_traits(traits: dict[str, Any]) -> list[str]:
    """Return the traits that are known, one a line; a list that is empty means none if the backbone is known."""
    shown = traits | {"extra_models": " + ".join(traits["extra_models"]) or ("none" if traits["backbone"] else "")}
    return _indent({name: value for name, value in shown.items() if value})


def _indent(values: dict[str, Any], depth: int = 1) -> list[str]:
    lines: list[str] = []
    for key, value in values.items():
        nested = isinstance(value, dict) and value
        lines.append(f"{'  ' * depth}{key}:" + ("" if nested else f" {clean_text(str(value))}"))
        lines += _indent(value, depth + 1) if nested else []
    return lines


def _format_scores(scores: dict[str, dict[str, float]]) -> list[str]:
    from benchmark.report.tables.numbers import format_score

    return [
        f"  {convention}: " + "  ".join(f"{name} {format_score(value, digits=2)}" for name, value in values.items())
        for convention, values in scores.items()
    ]
