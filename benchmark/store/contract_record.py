"""Records of contract checks: which rules the variants of an external method break, by the digest of its code.

Included methods have no records: the test suite checks them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from benchmark.core.run_spec import RunSpec
from benchmark.utils.atomic_files import format_json, read_value, write_text
from benchmark.utils.frozen_model import FrozenModel

FOLDER = "contract"
NEVER_TESTED = "never tested with the code that runs"


class ContractRecord(FrozenModel):
    """Result of checking the variants of a method.

    Attributes:
        method: Name of the method, or stem of its file.
        source_digest: Digest of the method's code, as in a spec.
        splits: Name of the split that each variant was checked on, by the label of the variant.
        broken: Names of the broken rules, by the label of the variant.
    """

    method: str
    source_digest: str
    splits: dict[str, str]
    broken: dict[str, tuple[str, ...]]


def save_contract(root: Path, record: ContractRecord) -> Path:
    """Save a record next to the results of earlier checks of other variants of the same code, and return its path.

    Args:
        root: Folder of the runs.
        record: Record of the variants that were checked now.

    Raises:
        OSError: The record cannot be written.
    """
    earlier = _read(root, record.source_digest)
    if earlier is not None:
        fields = {"splits": earlier.splits | record.splits, "broken": earlier.broken | record.broken}
        record = record.model_copy(update=fields)
    path = _make_path(root, record.source_digest)
    write_text(path, format_json(record))
    return path


def describe_contract(root: Path, spec: RunSpec) -> str:
    """Return in words what speaks against the method of a run: it was never tested, or breaks rules.

    Args:
        root: Folder of the runs. Tests that were saved in the default folder of runs count, too.
        spec: Spec of the run; the code that it was planned with counts.

    Returns:
        A text such as "never tested with the code that runs"; empty for a method that keeps all rules.
    """
    if not spec.source_digest:
        return ""
    folders = (root, Path(os.environ.get("CHIMERA_BENCH_RUNS") or "runs"))
    records = [record for folder in folders if (record := _read(folder, spec.source_digest)) is not None]
    tested = [record.broken[spec.variant] for record in records if spec.variant in record.broken]
    if not tested:
        return NEVER_TESTED
    broken = tested[0]
    return f"breaks {', '.join(broken)}" if broken else ""


def describe_contracts(root: Path, specs: Iterable[RunSpec]) -> dict[str, list[RunSpec]]:
    """Return the specs whose methods something speaks against, by what it is, one spec for each method and variant."""
    first = {(spec.source_digest, spec.variant): spec for spec in reversed(list(specs))}
    texts: dict[str, list[RunSpec]] = {}
    for spec in reversed(first.values()):
        text = describe_contract(root, spec)
        if text:
            texts.setdefault(text, []).append(spec)
    return texts


def _read(root: Path, digest: str) -> ContractRecord | None:
    try:
        return read_value(ContractRecord, _make_path(root, digest))
    except ValueError:
        return None


def _make_path(root: Path, digest: str) -> Path:
    return root / FOLDER / f"{digest}.json"
