"""What the shell offers after <TAB>: names of methods, studies, splits, profiles and runs. Reads names only."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from benchmark.store.store import Store

Completer = Callable[[typer.Context, str], list[str]]
COMPLETE_VARIABLE = "_CHIMERA_BENCH_COMPLETE"
"""Variable in which the shell's script says what it wants, such as complete_bash."""


def complete_names(context: typer.Context, incomplete: str) -> list[str]:
    """Return the methods, variants and included studies that begin like the word, for `run` and its kin."""
    from benchmark.core.paper_tables import list_tables
    from benchmark.core.study import list_studies

    return _choose([*_list_methods(incomplete), *list_studies(), *list_tables()], incomplete)


def complete_runs(context: typer.Context, incomplete: str) -> list[str]:
    """Return the IDs of runs that begin like the word, and the ends of IDs if they do."""
    from benchmark.store.row_labels import shorten_id

    ids = _open_store(context).list_ids()
    return _choose(ids, incomplete) or _choose(map(shorten_id, ids), incomplete)


def complete_plans(context: typer.Context, incomplete: str) -> list[str]:
    """Return the planned studies that begin like the word."""
    return _choose(_open_store(context).list_plans(), incomplete)


def complete_run_names(context: typer.Context, incomplete: str) -> list[str]:
    """Return planned studies, methods and variants, and runs that begin like the word."""
    from benchmark.core.paper_tables import list_tables

    names = [*complete_plans(context, incomplete), *_choose([*_list_methods(incomplete), *list_tables()], incomplete)]
    return [*dict.fromkeys(names), *complete_runs(context, incomplete)]


def complete_splits(incomplete: str) -> list[str]:
    """Return the splits that begin like the word."""
    from benchmark.core.split import list_splits

    return _choose(list_splits(), incomplete)


def complete_splits_and_studies(incomplete: str) -> list[str]:
    """Return the splits and the included studies that begin like the word."""
    from benchmark.core.study import list_studies

    return [*complete_splits(incomplete), *_choose(list_studies(), incomplete)]


def complete_protocols(incomplete: str) -> list[str]:
    """Return the protocols that begin like the word."""
    from benchmark.core.protocol import list_protocols

    return _choose(list_protocols(), incomplete)


def complete_profiles(incomplete: str) -> list[str]:
    """Return the cluster profiles that begin like the word."""
    from slurm.requests.profile import list_profiles

    return _choose(list_profiles(), incomplete)


def complete_engines(incomplete: str) -> list[str]:
    """Return the engines that begin like the word."""
    return _choose(("fabric", "detectron2"), incomplete)


def complete_trackers(incomplete: str) -> list[str]:
    """Return the trackers that begin like the word; several are separated by commas."""
    from benchmark.execution.trackers.tracker import KINDS

    before = incomplete.rpartition(",")[0]
    return _choose([f"{before},{name}" if before else name for name in KINDS], incomplete)


def _list_methods(incomplete: str) -> Iterable[str]:
    """Return the methods or, if the word names one and a slash, its variants."""
    from benchmark.planning.registry import list_methods, list_variants

    method, slash, _ = incomplete.partition("/")
    methods = list_methods()
    if slash and method in methods:
        return [f"{method}/{variant}" for variant in list_variants(method)]
    return methods


def _choose(names: Iterable[str], incomplete: str) -> list[str]:
    """Return the names that begin like the word, as the shell takes them."""
    return [_escape(name) for name in names if name.startswith(incomplete)]


def _escape(name: str) -> str:
    """Escape a name for bash; other shells do so themselves."""
    is_bash = os.environ.get(COMPLETE_VARIABLE, "").endswith("bash")
    return re.sub(r"([^\w@%+=:,./-])", r"\\\1", name) if is_bash else name


def _open_store(context: typer.Context) -> Store:
    from benchmark.store.store import Store

    return Store(context.find_root().params.get("runs") or Path("runs"))
