"""An unchanged study is planned a second time without torch and without running a method file.

Beside a plan, ROOT/plans/<study>.json, lies a memo of how it was made, ROOT/plans/<study>.memo: one spec a row, from
which all others follow, and a key over everything that it depends on. It is a convenience that may vanish. It holds as
long as nothing has changed of

- the study with all its overrides, the split and the protocol, whatever files these are made of, and `splits`;
- the code of the suite, Python and the packages that results may depend on;
- the method files that lie elsewhere, and the data.

What a plan depends on is not known in two cases, and such a study is made anew every time: where a config names a file,
which a method may read as it likes, and where a method file from elsewhere imports more than the above.
"""

from __future__ import annotations

import ast
import hashlib
import os
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmark.core.protocol import load_protocol
from benchmark.core.run_spec import RunSpec
from benchmark.core.split import SPLITS, load_split
from benchmark.core.study import Plan, Planned, Study
from benchmark.planning.registry import source_digest, source_of
from benchmark.store.environment import code_digest, package_versions
from benchmark.store.store import Store
from benchmark.utils.atomic_files import read_value, write_text
from benchmark.utils.frozen_model import FrozenModel, canonical_json
from benchmark.utils.paths import ROOT

HERE = ROOT / "benchmark"

KNOWN = frozenset(
    {
        "benchmark",
        "methods",
        "PIL",
        "detectron2",
        "lightning_fabric",
        "numpy",
        "open_clip",
        "pydantic",
        "safetensors",
        "scipy",
        "segmentation_models_pytorch",
        "timm",
        "torch",
        "torchvision",
        *sys.stdlib_module_names,
    }
)
"""What a method file may import without depending on anything that no key covers: see `environment.PACKAGES`."""


class Memo(FrozenModel):
    """How a plan was made.

    Attributes:
        key: over what is known before a method file is run, see `_key`.
        plan: which runs.
        firsts: see `Planned`; they hold the digests of method files and data.
    """

    key: str
    plan: Plan
    firsts: tuple[RunSpec, ...]


def planned(study: Study, store: Store, *, keep: bool = True) -> Planned:
    """The runs of a study: as they were planned before where nothing has changed, else resolved anew, with torch.

    Args:
        study: with all its overrides.
        store: in which plans are kept.
        keep: lay down the plan, and how it was made, in the store; without it, nothing is written.

    Raises:
        KeyError, ValueError: it cannot be planned; names the nearest, or the row.
        FileNotFoundError: its data are not here.
        OSError: the plan cannot be written.
    """
    key = _key(study)  # before anything is run: a file that is edited meanwhile makes another key the next time
    path = store.root / "plans" / f"{study.name}.memo"
    memo = _kept(path)
    if memo is None or not _holds(memo, key):
        from benchmark.planning.expand import expand  # needs torch

        found = expand(study)
        memo = Memo(key=key, plan=found.plan, firsts=found.firsts)
        if keep and _is_covered(found.firsts):
            write_text(path, memo.model_dump_json())
    if keep:
        store.write_plan(memo.plan)
    return Planned(memo.plan, memo.firsts)


def _kept(path: Path) -> Memo | None:
    """The memo of an earlier time; None where there is none that can be read."""
    try:
        return read_value(Memo, path)
    except ValueError:
        return None


def _holds(memo: Memo, key: str) -> bool:
    """Whether planning the study of this key would give the same again."""
    return memo.key == key and not _names_files(memo.firsts) and _is_same_outside(memo.firsts)


def _key(study: Study) -> str:
    """SHA-256 over the study, and whatever decides its plan besides method files from elsewhere and data."""
    split = load_split(study.split)
    parts = {
        "study": repr(study),  # not JSON with sorted keys: the order of overrides is seen in labels
        "split": split.digest(),
        "protocol": load_protocol(study.protocol or split.protocol, dataset=split.dataset).digest(),
        "splits": _digest(SPLITS, sorted(path for path in SPLITS.rglob("*") if path.is_file())),
        "code": code_digest(),
        "planning": _digest(
            HERE, [HERE / "planning" / "plan_cache.py", HERE / "core" / "study.py"]
        ),  # not in it: no result depends on them
        "python": platform.python_version(),
        "packages": package_versions(),
    }
    return hashlib.sha256(canonical_json(parts).encode()).hexdigest()


def _digest(folder: Path, paths: Iterable[Path]) -> str:
    """SHA-256 over the contents of files, and their paths below a folder."""
    digest = hashlib.sha256()
    for path in paths:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()} {content}\n".encode())
    return digest.hexdigest()


def _is_same_outside(firsts: Sequence[RunSpec]) -> bool:
    """Whether method files from elsewhere, and the data of the study, are those of the specs."""
    from benchmark.data.catalog import open_dataset

    try:
        digests = {name: source_digest(name) for name in {spec.source or spec.method for spec in firsts}}
    except KeyError:  # a file is gone: resolving says which
        return False
    if any(digests[spec.source or spec.method] != spec.source_digest for spec in firsts):
        return False
    split = load_split(firsts[0].split)
    return open_dataset(split.dataset).fingerprint(split.train, split.evaluate) == firsts[0].dataset_fingerprint


def _is_covered(firsts: Sequence[RunSpec]) -> bool:
    """Whether all that the specs depend on is in the key or in the specs themselves."""
    outside = {spec.source or spec.method for spec in firsts if spec.source_digest}
    return not _names_files(firsts) and all(_imported(source_of(name)) <= KNOWN for name in outside)


def _names_files(firsts: Sequence[RunSpec]) -> bool:
    """Whether a text in a config, or in an override, is the path of a file that exists now."""
    texts = {text for spec in firsts for text in _texts([spec.config, spec.overrides])}
    return any(os.path.isfile(os.path.expanduser(text)) for text in texts)


def _texts(value: Any) -> Iterator[str]:
    """Every text within a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(item)


def _imported(source: Path) -> set[str]:
    """The packages that a Python file imports anywhere in it; "" for its own."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add("" if node.level else (node.module or "").partition(".")[0])
    return found
