"""What a store holds, for a name that stands for nothing in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmark.core.run_spec import RunSpec
from benchmark.store.exact_names import read_spec
from benchmark.store.store import Store
from benchmark.utils.did_you_mean import find_near_name
from benchmark.utils.method_names import name_method_file, split_method

SHOWN_NAMES = 12
"""Names that a message lists."""


def explain_unknown(store: Store, name: str) -> str:
    """Return one line that a name stands for nothing, with the studies and methods that there are."""
    from benchmark.core.paper_tables import explain_missing_table, explain_whole_paper, is_table, read_name
    from benchmark.core.study import list_studies
    from benchmark.core.table_name import is_paper_file

    plans, specs = store.list_plans(), list(_read_specs(store))
    kind = "table" if is_table(name) else "study" if name in list_studies() else ""
    if kind == "table" and read_name(name).select_plans(plans):
        return f"table {name!r} has changed since it was planned: plan it again ({store.format_command('plan', name)})"
    changed = read_name(name).list_changed(plans) if kind == "table" else []
    if changed:
        return f"table {name!r} was never planned in {store.root}, but with other settings: {', '.join(changed)}"
    words = _list_run_words(name) if kind == "table" else [name]
    is_unplanned, begin = bool(kind) and name not in plans, store.format_command("run", *words)
    path, variant = split_method(name)
    method = name_method_file(path) if path.endswith(".py") else path
    variants = list(dict.fromkeys(spec.variant for spec in specs if spec.method == method))
    if not variants and (missing := explain_missing_table(name)):
        return missing
    if not variants and (whole := explain_whole_paper(name)):
        return whole if is_paper_file(name) else f"{whole} ({store.root} has no runs of a method of this name)"
    if not plans and not specs and not store.list_ids():
        place = f"there are no runs in {store.root}; give another folder with --runs"
        if is_unplanned:
            return f"{kind} {name!r} was never planned: {place}, or begin with: {begin}"
        near = find_near_name(name, _list_included(name))
        return f"no study, method or run {name!r}{f'; did you mean {near!r}?' if near else ':'} {place}"
    if is_unplanned:
        return f"{kind} {name!r} was never planned in {store.root}; begin with: {begin}"
    if variants:
        hint = _say_unknown(f"variant of {method}", variant, variants)
        return f"{hint} {store.root} holds runs of: {_join([repr(known) for known in variants])}"
    methods = sorted({spec.variant if spec.is_imported else spec.method for spec in specs})
    known = [*(f"study {plan}" for plan in plans), *(f"method {method}" for method in methods)]
    candidates = [*plans, *methods, *_list_included(name)]
    return f"{_say_unknown('study, method or run', name, candidates)} {store.root} holds {_join(known)}"


def _list_included(name: str) -> list[str]:
    """Return what is included and may be planned: tables of papers for a name with a slash, studies for others."""
    from benchmark.core.paper_tables import list_tables
    from benchmark.core.study import list_studies

    return list_tables() if "/" in name else list_studies()


def _list_run_words(name: str) -> list[str]:
    """Return the words that run a table, which the user may have named with the folder of its file."""
    from benchmark.core.paper_tables import read_name

    return [name.partition("+")[0], *read_name(name).run_words[1:]] if "+" in name.rpartition("/")[2] else [name]


def _say_unknown(kind: str, name: str, known: Sequence[str]) -> str:
    longer = [text for text in known if text.startswith(f"{name}+")]  # the same study with more changes
    near = min(longer, key=len) if longer else find_near_name(name, known)
    return f"no {kind} {name!r};" if near is None else f"no {kind} {name!r}; did you mean {near!r}?"


def _join(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    return f"{', '.join(names[:SHOWN_NAMES]) or 'no readable run'}{more}"


def _read_specs(store: Store) -> Iterator[RunSpec]:
    for run_id in store.list_ids():
        try:
            yield read_spec(store.run(run_id))
        except (ValueError, OSError):
            continue
