"""Rows that a user names: studies, methods and runs of one store, mixed, as one plan. Reads records, plans nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmark.core.paper_tables import explain_whole_paper
from benchmark.core.plan import Plan, PlanRow
from benchmark.core.run_name import make_setting, make_text
from benchmark.core.run_spec import IMPORTED, RunSpec
from benchmark.core.run_state import RunState
from benchmark.report.joined_rows import NamedRow, describe_joined, join_shared
from benchmark.report.named_specs import BATCH, find_ids, find_method, read_any_spec, read_specs
from benchmark.report.row_labels import label_rows
from benchmark.report.single_plan import find_single_plan
from benchmark.report.split_selection import order_splits, select_on_split
from benchmark.store.imported_rows import find_imported_rows
from benchmark.store.named_plans import select_plans
from benchmark.store.run_snapshot import RunSnapshot
from benchmark.store.store import Store
from benchmark.store.stored_papers import find_table
from benchmark.store.unknown_names import explain_unknown
from benchmark.utils.did_you_mean import list_names
from benchmark.utils.forked_map import map_forked
from benchmark.utils.method_names import split_method

VariantLister = Callable[[str], Sequence[str]]
"""Function from the name or file of a method to its variants."""
Notify = Callable[[str], None]
"""Function that shows a line to the user."""


def make_plan(
    store: Store,
    names: Sequence[str],
    *,
    split: str = "",
    list_variants: VariantLister = lambda _method: (),
    notify: Notify = lambda _text: None,
) -> Plan:
    """Return the rows that some names stand for as one plan; rows that several names share are there once.

    Args:
        store: Store that holds plans and runs.
        names: Any of: names of planned studies or paths of their files, PAPER/TABLE, METHOD or METHOD/VARIANT, names of
            imported predictions, ids of runs or unambiguous parts of ids. A study comes before a method of the same
            name, see `describe_ambiguous`.
        split: Name or file of the only split to take, or pattern of names such as toybox@*; if empty, all.
        list_variants: Function from the name or file of a method to its variants in their order, which is the order of
            its rows; those that it does not return come last, by name.
        notify: Function that is called with a line per label that a row of the plan does not have although a study
            calls its runs so, on runs of a method that are left out as nothing of them can be read, and if the first
            row cannot be read, so that another one is the baseline.

    Raises:
        KeyError: A name stands for nothing, or no row is on the split; the message says what there is.
        ValueError: A plan is broken.
    """
    single = find_single_plan(store, names, split=split)
    if single is not None:
        return single
    parts = [part for name in names for part in _find_parts(store, name, list_variants, notify)]
    rows = [replace(row, names=(part.name,)) for part in parts for row in part.rows]
    place = f"{' '.join(names)} in {store.root}"
    selected = select_on_split(rows, split, lambda named: named.row.split, place=place)
    for text in describe_joined(selected):
        notify(text)
    kept = join_shared(selected)
    labeled, changes = label_rows([(named.row, named.spec, named.study) for named in kept])
    planned = [
        row.model_copy(update={"study": ", ".join(named.names) if len(parts) > 1 else ""})
        for row, named in zip(labeled, kept, strict=True)
    ]
    order = order_splits([row.split for row in planned], is_mixed=len(parts) > 1)
    planned.sort(key=lambda row: order.index(row.split))
    return Plan(
        study=" ".join(dict.fromkeys(part.name for part in parts)),
        title=_join_titles([part.title for part in parts], changes),
        rows=tuple(planned),
        baseline=_choose_baseline(parts, planned) or _find_readable_baseline(planned, notify),
        max_images=max((named.spec.max_images for named in kept if named.spec is not None), default=0),
    )


def _join_titles(titles: Sequence[str], changes: str) -> str:
    """Return the captions of several names, each once, with the overrides that all rows share unless one has them."""
    joined = ", ".join(dict.fromkeys(titles))
    return f"{joined} [{changes}]" if changes and f"[{changes}]" not in joined else joined


def _choose_baseline(parts: Sequence[_Part], rows: Sequence[PlanRow]) -> str:
    """Return the baseline of the first study that gives one; of several names, one that a row is still called by."""
    given = [part.baseline for part in parts if part.baseline]
    labels = {name.casefold() for row in rows for name in (row.label, f"{row.method}/{row.label}")}
    return next((name for name in given if len(parts) == 1 or name.strip().casefold() in labels), "")


def _find_readable_baseline(rows: Sequence[PlanRow], notify: Notify) -> str:
    """Return the name of the first row that can be read if the first row cannot, else nothing."""
    readable = next((row for row in rows if row.method), None)
    if readable is None or rows[0].method:
        return ""
    notify(f"baseline: {readable.label!r}, the first row that can be read, unless --baseline ROW names another")
    return f"{readable.method}/{readable.label}"


def describe_ambiguous(store: Store, names: Sequence[str]) -> list[str]:
    """Return one line per name that is a study, which is taken, and a method, which is not."""
    plans = store.list_plans()
    return [
        f"{name!r} is a study and a method in {store.root}: this is the study; {name}/VARIANT names runs of the method"
        for name in names
        if name in plans and find_method(store, name)
    ]


@dataclass(frozen=True)
class _Part:
    """What one name stands for: rows, a caption, and the label of the baseline if a study gives one."""

    name: str
    title: str
    rows: Sequence[NamedRow]
    baseline: str = ""


def _find_parts(store: Store, name: str, list_variants: VariantLister, notify: Notify) -> list[_Part]:
    """Return what a name stands for: of a table of a paper, a part for each of its plans and one of imported rows."""
    plans = select_plans(store, name)
    parts = [_read_study(store, plan) for plan in plans]
    table = find_table(store, name)
    imported = [] if table is None else find_imported_rows(store, table)
    if table is not None and imported:
        rows = [NamedRow(row, read_any_spec(store, row.ids.values()), table.name.plan) for row in imported]
        parts.append(_Part(table.name.plan, table.title, rows))
    return parts or [_find_rows(store, name, list_variants, notify)]


def _find_rows(store: Store, name: str, list_variants: VariantLister, notify: Notify) -> _Part:
    """Return what a name stands for: a study, a method, or runs, in this order."""
    is_file = name.endswith((".yaml", ".yml"))
    if is_file and (whole := explain_whole_paper(name)):
        raise KeyError(whole)
    if is_file or name in store.list_plans():
        return _read_study(store, Path(name).stem if is_file else name)
    specs = find_method(store, name) or find_method(store, f"{IMPORTED}/{name}")
    if specs:
        lacking = _read_lacking(store, name)
        unreadable = [_make_unreadable_row(store, run_id) for run_id, run in lacking.items() if run.is_unreadable]
        broken = [run_id for run_id, run in lacking.items() if run.state is RunState.BROKEN and not run.is_unreadable]
        if broken:
            notify(f"left out of {name}, as neither record nor spec can be read: {list_names(name, broken)}")
        return _Part(name, name, [*_group_seeds(specs, list_variants), *unreadable])
    try:
        ids = find_ids(store, name)
    except KeyError as error:
        if "/" in name and find_method(store, split_method(name)[0]):  # so that its variants are known
            raise KeyError(explain_unknown(store, name)) from error
        raise
    if ids:
        return _read_runs(store, name, ids, list_variants)
    raise KeyError(explain_unknown(store, name))


def _read_study(store: Store, name: str) -> _Part:
    plan = store.read_plan(name)
    specs = map_forked(lambda row: read_any_spec(store, row.ids.values()), plan.rows, batch=BATCH)
    rows = [NamedRow(row, spec, plan.study) for row, spec in zip(plan.rows, specs, strict=True)]
    return _Part(plan.study, plan.title, rows, plan.baseline)


def _read_runs(store: Store, name: str, ids: Sequence[str], list_variants: VariantLister) -> _Part:
    """Return what a name of runs stands for; a run that cannot be read is a row of its own, called by its id."""
    specs = read_specs(store, ids)
    rows = _group_seeds(specs, list_variants)
    known = {spec.id for spec in specs}
    rows += [_make_unreadable_row(store, run_id) for run_id in ids if run_id not in known]
    titles = dict.fromkeys(spec.variant if spec.is_imported else spec.method for spec in specs)
    return _Part(name, " ".join(titles) or name, rows)


def _read_lacking(store: Store, name: str) -> dict[str, RunSnapshot]:
    """Return the runs without a readable spec whose ids begin with a name, with their state."""
    begin = f"{make_text(name, '', {})}-"
    candidates = [run_id for run_id in store.list_ids() if run_id.startswith(begin)]
    lacking = [run_id for run_id in candidates if read_any_spec(store, [run_id]) is None]
    return {run_id: store.run(run_id).read_snapshot() for run_id in lacking}


def _make_unreadable_row(store: Store, run_id: str) -> NamedRow:
    """Return the row of a run that cannot be read, called by its id."""
    seed = int(run_id.rpartition("-")[0].rpartition("-s")[2])
    split = _guess_split(store, run_id)
    return NamedRow(PlanRow(label=run_id, method="", split=split, ids={seed: run_id}), None)


def _guess_split(store: Store, run_id: str) -> str:
    """Return the split in the id of a run whose files cannot be read, if other runs are on it; otherwise "unknown"."""
    splits = {spec.split for spec in read_specs(store, store.list_ids())}
    known = [split for split in splits if make_setting(split, "plain") in run_id]
    return max(known, key=len, default="unknown")


def _group_seeds(specs: Sequence[RunSpec], list_variants: VariantLister) -> list[NamedRow]:
    """Return one row per set of specs that differ in the seed only, in the order of variants and settings."""
    groups: dict[str, list[RunSpec]] = {}
    for spec in specs:
        groups.setdefault(spec.digest_row(), []).append(spec)
    has_several = len({spec.variant for spec in specs}) > 1
    sources = {spec.source or spec.method for spec in specs}
    variants = {name: list(list_variants(name)) if has_several else [] for name in sources}
    firsts = sorted(
        (group[0] for group in groups.values()), key=lambda spec: _order(spec, variants[spec.source or spec.method])
    )
    return [
        NamedRow(
            PlanRow(
                label="",
                method=spec.method,
                split=spec.split,
                ids={run.seed: run.id for run in sorted(groups[spec.digest_row()], key=lambda run: run.seed)},
            ),
            spec,
        )
        for spec in firsts
    ]


def _order(spec: RunSpec, variants: Sequence[str]) -> tuple[object, ...]:
    """Return a key that follows the order of the variants, plain ones before changed ones, and has 2 before 10."""
    place = variants.index(spec.variant) if spec.variant in variants else len(variants)
    setting = (spec.split, spec.protocol.name, bool(spec.max_images), spec.max_images, spec.engine)
    pieces = re.split(r"(\d+(?:\.\d+)?)", spec.label.removeprefix(spec.variant))
    changes = tuple((float(piece), "") if index % 2 else (0.0, piece) for index, piece in enumerate(pieces))
    return (*setting, place, spec.variant, len(spec.overrides), changes)
