"""Cache of plans: an unchanged study is planned again without torch and without running a method file.

Next to a plan, ROOT/plans/<study>.json, is a memo of how it was made, ROOT/plans/<study>.memo: one spec per row, from
which all others follow, and a key over everything that the plan depends on. The memo may be deleted at any time. It is
valid while nothing has changed in

- the study with all its overrides, the split and the protocol, wherever their files are, and the folder `splits`;
- the code of the suite, Python, and the packages that results may depend on;
- method files outside the suite, and the data.

The dependencies of a plan are unknown in two cases, in which the study is resolved every time: a config or a row names
a file, which a method may use in any way, or an external method imports a package that is neither among those nor its
own.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmark.core.grid import make_grid
from benchmark.core.plan import Plan, PlannedStudy
from benchmark.core.protocol import load_protocol
from benchmark.core.run_spec import RunSpec
from benchmark.core.split import SPLITS, load_split
from benchmark.core.study import Study
from benchmark.planning.registry import compute_source_digest, list_outside_imports
from benchmark.store.environment import PACKAGES, compute_code_digest, list_package_versions
from benchmark.store.store import Store
from benchmark.utils.atomic_files import read_value, write_text
from benchmark.utils.frozen_model import FrozenModel, format_canonical_json

KNOWN_IMPORTS = frozenset({"benchmark", "methods", "detectron2", *PACKAGES.values(), *sys.stdlib_module_names})
"""Packages that an external method may import without depending on anything that the key does not cover."""


class Memo(FrozenModel):
    """Origin of a plan.

    Attributes:
        key: Digest of everything that is known before a method file is run, see `_make_key`.
        plan: Plan of the study.
        first_specs: Specs as in `PlannedStudy`; they hold the digests of method files and data.
    """

    key: str
    plan: Plan
    first_specs: tuple[RunSpec, ...]


def raise_unsaved(error: OSError) -> None:
    """Raise the error of a plan that cannot be written."""
    raise error


def plan_study(
    study: Study,
    store: Store,
    *,
    keep: bool = True,
    on_unsaved: Callable[[OSError], object] = raise_unsaved,
    place: str | None = None,
    rows_digest: str = "",
) -> PlannedStudy:
    """Return the runs of a study: from the cache if nothing has changed, else resolved, which needs torch.

    Args:
        study: Study with all its overrides.
        store: Store that holds the plans.
        keep: Whether the plan and its memo are saved; a memo that cannot be written is left out.
        on_unsaved: Function for the error if the plan cannot be written; by default, it is raised.
        place: Beginning of error messages; by default, the study is named.
        rows_digest: Digest of the rows of the paper's table that the study is made from; empty for any other study.

    Raises:
        KeyError: A name is unknown; the message names the row and the nearest name.
        ValueError: A row cannot be resolved; the message names it.
        FileNotFoundError: The data are missing.
        OSError: The plan cannot be written, unless `on_unsaved` takes the error.
    """
    key = _make_key(study)  # before any file is run: an edit in the meantime makes another key next time
    path = store.root / "plans" / f"{study.name}.memo"
    memo = _read_memo(path)
    if memo is None or not _is_valid(memo, key):
        from benchmark.planning.expand import expand  # needs torch

        planned = expand(study, place=place)
        memo = Memo(key=key, plan=planned.plan, first_specs=planned.first_specs)
        if keep and _is_covered(planned.first_specs):
            with suppress(OSError):  # the memo only saves time
                write_text(path, memo.model_dump_json())
    plan = memo.plan.model_copy(update={"rows_digest": rows_digest})
    if keep:
        _save(plan, store, on_unsaved=on_unsaved)
    return PlannedStudy(plan, memo.first_specs)


def _save(plan: Plan, store: Store, *, on_unsaved: Callable[[OSError], object]) -> None:
    try:
        store.write_plan(plan)
    except OSError as error:
        on_unsaved(error)


def _read_memo(path: Path) -> Memo | None:
    """Read a memo; None if there is no readable one."""
    try:
        return read_value(Memo, path)
    except ValueError:
        return None


def _is_valid(memo: Memo, key: str) -> bool:
    """Return whether planning the study with this key would give the same plan again."""
    return memo.key == key and not _name_files(memo.first_specs) and _are_externals_unchanged(memo.first_specs)


def _make_key(study: Study) -> str:
    """Return the SHA-256 over everything that decides the plan of a study, except external method files and data."""
    parts = {
        "study": repr(study),  # not JSON with sorted keys: the order of overrides is visible in labels
        "rules": _digest_rules(study),
        "splits": _digest_files(SPLITS, sorted(path for path in SPLITS.rglob("*") if path.is_file())),
        "code": compute_code_digest(),
        "python": platform.python_version(),
        "packages": list_package_versions(),
    }
    return hashlib.sha256(format_canonical_json(parts).encode()).hexdigest()


def _digest_rules(study: Study) -> list[list[str]]:
    """Return the digests of each split and protocol that rows of a study have together."""
    pairs = dict.fromkeys((row.split, row.protocol) for row in make_grid(study))
    loaded = [(load_split(split), protocol) for split, protocol in pairs]
    return [
        [split.digest(), load_protocol(protocol or split.protocol, dataset=split.dataset).digest()]
        for split, protocol in loaded
    ]


def _digest_files(folder: Path, paths: Iterable[Path]) -> str:
    """Return the SHA-256 over the contents of files and their paths below a folder."""
    digest = hashlib.sha256()
    for path in paths:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()} {content}\n".encode())
    return digest.hexdigest()


def _are_externals_unchanged(specs: Sequence[RunSpec]) -> bool:
    """Return whether the external method files and the data of a study are those of its specs."""
    from benchmark.data.catalog import open_dataset

    try:
        digests = {name: compute_source_digest(name) for name in {spec.source or spec.method for spec in specs}}
    except KeyError:  # a file is gone: resolving says which
        return False
    if any(digests[spec.source or spec.method] != spec.source_digest for spec in specs):
        return False
    fingerprints = {spec.split_source or spec.split: spec.dataset_fingerprint for spec in specs}
    splits = {name: load_split(name) for name in fingerprints}
    return all(
        open_dataset(split.dataset).fingerprint(split.train, split.evaluate) == fingerprints[name]
        for name, split in splits.items()
    )


def _is_covered(specs: Sequence[RunSpec]) -> bool:
    """Return whether everything that the specs depend on is in the key or in the specs themselves."""
    externals = {spec.source or spec.method for spec in specs if spec.source_digest}
    return not _name_files(specs) and all(list_outside_imports(name) <= KNOWN_IMPORTS for name in externals)


def _name_files(specs: Sequence[RunSpec]) -> bool:
    """Return whether a row has weights, or a text in a config or an override is the path of an existing file."""
    if any(spec.weights is not None for spec in specs):
        return True
    texts = {text for spec in specs for text in _list_texts([spec.config, spec.overrides])}
    return any(os.path.isfile(os.path.expanduser(text)) for text in texts)


def _list_texts(value: Any) -> Iterator[str]:
    """Yield all texts within a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _list_texts(item)
