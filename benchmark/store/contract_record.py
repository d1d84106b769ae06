"""Records of contract checks: which rules the variants of an external method break, by the digest of its code.

Included methods have no records: the test suite checks them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmark.core.run_spec import RunSpec
from benchmark.utils.atomic_files import format_json, read_value, write_text
from benchmark.utils.frozen_model import FrozenModel
from benchmark.utils.paths import find_runs_folder

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
    earlier = read_contract(root, record.source_digest)
    return write_contract(root, [record, earlier] if earlier is not None else [record])


def describe_contract(root: Path, spec: RunSpec, *, is_portable: bool = False) -> str:
    """Return in words what speaks against the method of a run: it was never tested, or breaks rules.

    Args:
        root: Folder of the runs. Tests that were saved in the default folder of runs count, too.
        spec: Spec of the run; the code that it was planned with counts.
        is_portable: Whether nothing but `root` counts, so that the answer is the same on every machine that has it.

    Returns:
        A text such as "never tested with the code that runs"; empty for a method that keeps all rules.
    """
    if not spec.source_digest:
        return ""
    folders = [root] if is_portable else _list_folders(root)
    records = [record for folder in folders if (record := read_contract(folder, spec.source_digest)) is not None]
    tested = [record.broken[spec.variant] for record in records if spec.variant in record.broken]
    if not tested:
        return NEVER_TESTED
    broken = tested[0]
    return f"breaks {', '.join(broken)}" if broken else ""


def find_contract(root: Path, digest: str) -> ContractRecord | None:
    """Return the results of all checks of a method's code, those in `root` before others; None if there are none.

    Args:
        root: Folder of the runs. Tests that were saved in the default folder of runs count, too.
        digest: Digest of the method's code.
    """
    records = [record for folder in _list_folders(root) if (record := read_contract(folder, digest)) is not None]
    return _join(records) if records else None


def write_contract(root: Path, records: Sequence[ContractRecord]) -> Path:
    """Write checks of the same code as one file and return its path; the first result for a variant counts.

    Raises:
        OSError: The file cannot be written.
    """
    joined = _join(records)
    path = _make_path(root, joined.source_digest)
    if read_contract(root, joined.source_digest) != joined:
        write_text(path, format_json(joined))
    return path


def describe_contracts(root: Path, specs: Iterable[RunSpec]) -> dict[str, list[RunSpec]]:
    """Return the specs whose methods something speaks against, by what it is, one spec for each method and variant."""
    first = {(spec.source_digest, spec.variant): spec for spec in reversed(list(specs))}
    texts: dict[str, list[RunSpec]] = {}
    for spec in reversed(first.values()):
        text = describe_contract(root, spec)
        if text:
            texts.setdefault(text, []).append(spec)
    return texts


def list_contract_folders(root: Path) -> list[Path]:
    """Return the folders of all records that may be read for a folder of runs; they need not exist."""
    return [folder / FOLDER for folder in _list_folders(root)]


def _join(records: Sequence[ContractRecord]) -> ContractRecord:
    splits: dict[str, str] = {}
    broken: dict[str, tuple[str, ...]] = {}
    for record in reversed(records):
        splits, broken = splits | record.splits, broken | record.broken
    return records[0].model_copy(update={"splits": splits, "broken": broken})


def _list_folders(root: Path) -> list[Path]:
    return [root, Path(find_runs_folder())]


def read_contract(root: Path, digest: str) -> ContractRecord | None:
    """Read the results of checks of a method's code in a folder of runs; None if there are none that can be read."""
    try:
        return read_value(ContractRecord, _make_path(root, digest))
    except ValueError:
        return None


def _make_path(root: Path, digest: str) -> Path:
    return root / FOLDER / f"{digest}.json"
