"""What starts runs: `run`, `demo`, `verify`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark.cli.console import AsJson, Jobs, Overrides, command, note, overrides_of, say, say_json, store_of
from benchmark.cli.progress import watching
from benchmark.cli.studies import changed_study, tally

if TYPE_CHECKING:
    from benchmark.run import RunSpec
    from benchmark.store import Store
    from benchmark.study import Plan

FINISHED_WITH_FAILURES, INTERRUPTED = 3, 130
SHOWN_FAILURES = 5

Seeds = Annotated[list[int] | None, typer.Option("--seed", metavar="N", min=0, help="Seed; may be repeated.")]
SplitName = Annotated[str | None, typer.Option("--split", help="Split to train and score on.")]
ProtocolName = Annotated[str | None, typer.Option("--protocol", help="Rules of the run; the split's if not given.")]
EngineName = Annotated[str | None, typer.Option("--engine", help="fabric or detectron2.")]
Limit = Annotated[int | None, typer.Option("--limit", min=0, help="Score only the first images (testing only).")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be run and stop.")]
Threads = Annotated[int, typer.Option("--threads", min=1, help="CPU threads of each run.")]
Workers = Annotated[int, typer.Option("--workers", min=0, help="Processes of each run that read images ahead.")]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Try failed runs again.")]


def run(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="METHOD[/VARIANT] | STUDY", help="A method, a method's .py file, or a study.")
    ],
    split: SplitName = None,
    protocol: ProtocolName = None,
    seed: Seeds = None,
    overrides: Overrides = None,
    engine: EngineName = None,
    limit: Limit = None,
    jobs: Jobs = None,
    threads: Threads = 1,
    workers: Workers = 0,
    plan_name: Annotated[str | None, typer.Option("--name", help="What to call the plan of a changed study.")] = None,
    dry_run: DryRun = False,
    retry_failed: RetryFailed = False,
) -> None:
    """Run a method, or all of a study. What is done already is not run again."""
    store, changes = store_of(context), overrides_of(overrides)
    if is_study(name):
        fields = {"split": split, "protocol": protocol, "engine": engine, "limit": limit, "seeds": tuple(seed or ())}
        specs, plan = _study_specs(name, changes=changes, plan_name=plan_name, fields=fields)
    else:
        setting = {"split": split or "toybox", "protocol": protocol or "", "engine": engine or "fabric"}
        specs, plan = _specs_of(name, seed, overrides=changes, limit=limit or 0, **setting), None
    if dry_run:
        _say_specs(store, specs)
        return
    if plan is not None:
        store.write_plan(plan)
    _note_split(specs)
    code = run_specs(
        store, specs, jobs=jobs, threads=threads, workers=workers, retry_failed=retry_failed, plan=plan
    )
    _say_results(store, specs, plan)
    raise typer.Exit(code)


def demo(
    context: typer.Context,
    overrides: Overrides = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Processes at a time.")] = 2,
    dry_run: DryRun = False,
    retry_failed: RetryFailed = False,
) -> None:
    """Everything once, in minutes. Chimera-Seg, its ablations and two peers on toybox, to a table and figures."""
    from benchmark.cli.reports import show_table, write_figures, write_pictures
    from benchmark.study import expand, load_study

    store = store_of(context)
    planned = expand(changed_study(load_study("demo"), changes=overrides_of(overrides)))
    if dry_run:
        _say_specs(store, planned.specs)
        return
    store.write_plan(planned.plan)
    code = run_specs(store, planned.specs, jobs=jobs, retry_failed=retry_failed, plan=planned.plan)
    say()
    show_table(store, planned.plan)
    out = store.root / "reports" / planned.plan.study
    say("\nFigures")
    for path in [*write_figures(store, planned.plan, out), *write_pictures(store, planned.plan, out)]:
        say(f"  {path}")
    done = next((run_id for run_id in planned.plan.ids if store.state(run_id) == "done"), "ID")
    say(f"\nThe table again:    {command(store, 'table', planned.plan.study)}")
    say(f"One run in detail:  {command(store, 'show', done)}")
    say(f"Remake a number:    {command(store, 'verify', done)}")
    raise typer.Exit(code)


def verify(
    context: typer.Context,
    run_id: Annotated[str, typer.Argument(metavar="ID", help="Id of a run, or a part of it that fits one run.")],
    as_json: AsJson = False,
) -> None:
    """Remake a run and compare. The pixel counts must be the same, bit for bit; they are made in a scratch folder."""
    from benchmark import verify as again

    store = store_of(context)
    found = store.find(run_id)
    note(f"running {found} again in a scratch folder")
    with watching({found: label(store.spec(found))}) as watch:
        verdict = again.verify(found, store, observe=watch)
    if as_json:
        say_json(again.as_json(verdict))
    else:
        for line in again.in_words(verdict):
            say(line)
    raise typer.Exit(0 if verdict.is_same else 1)


def is_study(name: str) -> bool:
    """Whether a name stands for a study rather than a method.

    Raises:
        ValueError: it stands for both.
        KeyError: it stands for neither; names the nearest.
    """
    from benchmark.registry import method_names
    from benchmark.study import STUDIES, study_names
    from benchmark.suggest import unknown_name

    if name.endswith((".yaml", ".yml")):
        return True
    method = name.partition("/")[0]
    if ".py" in name or (method in method_names() and name not in study_names()):
        return False
    if name in method_names():
        path = STUDIES / f"{name}.yaml"
        raise ValueError(
            f"{name!r} is both a method and a study: say {name}/VARIANT for the method, {path} for the study"
        )
    if name in study_names():
        return True
    raise KeyError(unknown_name("method or study", method, [*method_names(), *study_names()]))


def run_specs(
    store: Store,
    specs: Sequence[RunSpec],
    *,
    jobs: int | None,
    retry_failed: bool,
    threads: int = 1,
    workers: int = 0,
    plan: Plan | None = None,
) -> int:
    """Run what is not done, telling what is left out and why; returns the exit code."""
    from benchmark.local import cores, run_all

    open_specs, skipped_failed = _open(store, specs, retry_failed=retry_failed)
    labels = {spec.id: label(spec) for spec in specs} | (_row_labels(plan) if plan is not None else {})
    failed = skipped_failed
    if open_specs:
        jobs = min(jobs or max(1, cores() // threads), len(open_specs))
        note(f"{len(open_specs)} to run, {jobs} at a time; records in {store.root}")
        try:
            with watching(labels) as watch:
                outcomes = run_all(
                    open_specs, store=store, jobs=jobs, threads=threads, workers=workers, observe=watch
                )
        except KeyboardInterrupt:
            _note_interrupted(store, specs)
            raise typer.Exit(INTERRUPTED) from None
        lost = [run_id for run_id, outcome in outcomes.items() if outcome.state == "failed"]
        failed += len(lost)
        for run_id in lost[:SHOWN_FAILURES]:
            note(f"its log: {command(store, 'logs', run_id)}")
    return FINISHED_WITH_FAILURES if failed else 0


def _note_split(specs: Sequence[RunSpec]) -> None:
    """Say what the split warns of."""
    from benchmark.split import load_split

    for name in dict.fromkeys(spec.split for spec in specs):
        if load_split(name).note:
            note(f"split {name}: {load_split(name).note}")


def _row_labels(plan: Plan) -> dict[str, str]:
    """What a study calls its runs: the row and the seed, without what all rows have in common."""
    return {run_id: f"{row.label} seed {seed}" for row in plan.rows for seed, run_id in row.ids.items()}


def label(spec: RunSpec) -> str:
    """What to call a run in a line."""
    return f"{spec.method}/{spec.label} seed {spec.seed}"


def _specs_of(name: str, seeds: Sequence[int] | None, **setting: Any) -> tuple[RunSpec, ...]:
    from benchmark.resolve import resolve

    return tuple(resolve(name, seed=seed, **setting) for seed in seeds or (0,))


def _study_specs(
    name: str, *, changes: dict[str, Any], plan_name: str | None, fields: dict[str, Any]
) -> tuple[tuple[RunSpec, ...], Plan]:
    """What to run of a study, and its plan; some of its seeds are a part of the same plan, others are another."""
    from benchmark.study import expand, load_study

    study, seeds = load_study(name), fields.pop("seeds")
    is_part = set(seeds) <= set(study.seeds)
    fields |= {} if is_part else {"seeds": seeds}
    planned = expand(changed_study(study, changes=changes, name=plan_name, **fields))
    specs = tuple(spec for spec in planned.specs if not seeds or spec.seed in seeds)
    return specs, planned.plan


def _open(store: Store, specs: Sequence[RunSpec], *, retry_failed: bool) -> tuple[list[RunSpec], int]:
    """The specs to run, and how many failed ones are left out."""
    states = {spec.id: store.state(spec.id) for spec in specs}
    done = [run_id for run_id, state in states.items() if state == "done"]
    lost = [run_id for run_id, state in states.items() if state in ("failed", "broken")]
    if done:
        note(f"{len(done)} done already{_stale_words(store, done)}, not run again")
    if lost and not retry_failed:
        note(f"{len(lost)} failed before, not run again; to try again: --retry-failed")
    left_out = {*done, *(() if retry_failed else lost)}
    return [spec for spec in specs if spec.id not in left_out], 0 if retry_failed else len(lost)


def _stale_words(store: Store, done: Sequence[str]) -> str:
    from benchmark.environment import code_digest

    stale = [run_id for run_id in done if store.record(run_id).environment.code_digest != code_digest()]
    if not stale:
        return ""
    return f" ({len(stale)} by other code than the present; to run those again, move their folders out of {store.root})"


def _say_specs(store: Store, specs: Sequence[RunSpec]) -> None:
    for spec in specs:
        say(f"{store.state(spec.id):<12} {spec.id}")
    say(tally([store.state(spec.id) for spec in specs]))


def _say_results(store: Store, specs: Sequence[RunSpec], plan: Plan | None) -> None:
    from benchmark.evaluation.scores import score

    if plan is not None:
        say(tally([store.state(spec.id) for spec in specs]))
        say(f"The table: {command(store, 'table', plan.study)}")
        return
    for spec in specs:
        state = store.state(spec.id)
        if state == "done":
            scores = score(store.counts(spec.id), "d2-main")
            shown = f"S {scores.miou_seen:.2f}  U {scores.miou_unseen:.2f}  hIoU {scores.hiou:.2f}  (d2-main)"
            say(f"{label(spec)}: {shown}")
        elif state == "failed":
            failure = store.record(spec.id).failure
            say(f"{label(spec)}: failed: {failure.message if failure else ''}")
        else:
            say(f"{label(spec)}: {state}")
        say(f"  {spec.id}")


def _note_interrupted(store: Store, specs: Sequence[RunSpec]) -> None:
    states = [store.state(spec.id) for spec in specs]
    note(f"interrupted: {tally(states)}")
    note(f"Records and checkpoints are kept in {store.root}{os.sep}; the same command goes on from there.")
