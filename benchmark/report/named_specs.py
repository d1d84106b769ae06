"""Specs that a name of a method or run stands for, from the files of a store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product

from benchmark.core.run_name import make_text
from benchmark.core.run_spec import RunSpec
from benchmark.store.exact_names import is_called, read_spec
from benchmark.store.method_code import select_code
from benchmark.store.store import Store
from benchmark.utils.forked_map import map_forked
from benchmark.utils.method_names import name_method_file, split_method

BATCH = 256
"""Specs that a process reads before it hands them over."""
SURE_PREFIX = 5
"""Characters at the start of a method's name that every id of its runs begins with, however long the name is."""


def find_method(store: Store, name: str) -> list[RunSpec]:
    """Return the specs of the runs of METHOD or METHOD/VARIANT, which may be the path of a file or a folder."""
    specs = read_specs(store, list_candidates(store, name))
    wanted = split_method(name)[1].casefold()
    return [
        spec
        for spec in select_code(specs, name)
        if not wanted or wanted in (spec.variant.casefold(), spec.label.casefold())
    ]


def list_candidates(store: Store, name: str) -> list[str]:
    """Return the ids of all runs that METHOD or METHOD/VARIANT may stand for, and maybe of others, without reading."""
    path, _ = split_method(name)
    method = name_method_file(path) if path.endswith(".py") else path
    prefix = make_text(method, "", {})[:SURE_PREFIX]
    return [run_id for run_id in store.list_ids() if prefix and run_id.startswith(prefix)]


def find_ids(store: Store, text: str) -> list[str]:
    """Return the run with this id or a part of it, or those that are called so or differ in nothing but the seed.

    Raises:
        KeyError: The text is a part of several ids of different rows.
    """
    ids = store.list_ids()
    spellings = dict.fromkeys([text.lower().strip().rstrip("/"), make_text(text, "", {})])
    tests: tuple[Callable[[str, str], bool], ...] = (str.__eq__, str.startswith, str.__contains__)
    for fits, wanted in product(tests, filter(None, spellings)):
        matches = [run_id for run_id in ids if fits(run_id, wanted)]
        if len(matches) > 1:
            exact = [run_id for run_id in matches if is_called(store.run(run_id), text)]
            specs = read_specs(store, exact or matches)
            if not specs:  # none can be read
                return matches
            if exact or len({spec.digest_row() for spec in specs}) == 1:
                return [spec.id for spec in specs]
        if matches:
            return [store.find(text)]
    return []


def read_any_spec(store: Store, ids: Iterable[str]) -> RunSpec | None:
    """Return the first spec that can be read; None if there is none."""
    return next(_iterate_specs(store, ids), None)


def read_specs(store: Store, ids: Sequence[str]) -> list[RunSpec]:
    """Return the specs that can be read, those of thousands of runs by several processes."""
    found = map_forked(lambda run_id: read_any_spec(store, [run_id]), ids, batch=BATCH)
    return [spec for spec in found if spec is not None]


def _iterate_specs(store: Store, ids: Iterable[str]) -> Iterator[RunSpec]:
    for run_id in ids:
        try:
            yield read_spec(store.run(run_id))
        except (ValueError, OSError):
            continue
