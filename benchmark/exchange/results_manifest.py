"""Manifest of an archive of results: what is in it, with code and environments listed once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from benchmark.core.environment import Environment
from benchmark.core.run_record import RunRecord, digest_code
from benchmark.store.environment import digest_package
from benchmark.utils.frozen_model import FrozenModel

PACKAGE = "chimera-bench"


class PackageVersion(FrozenModel):
    """Package that drew the tables.

    Attributes:
        name: Name of the package.
        version: Version of the package; "not installed" if it runs from a folder.
        code: SHA-256 of its code, splits and included weights.
    """

    name: str = PACKAGE
    version: str
    code: str


class RunEntry(FrozenModel):
    """A run of the archive.

    Attributes:
        state: State of the run, done or failed.
        counts: Digest of its pixel counts; None for a failed run.
        code: Key of its code in `ResultsManifest.code`.
        environment: Key of its environment in `ResultsManifest.environments`.
    """

    state: str
    counts: str | None
    code: str
    environment: str


class ResultsManifest(FrozenModel):
    """Content of an archive of results.

    Attributes:
        format: Version of the archive's layout.
        package: Package that drew the tables.
        studies: Names that the tables are of; `chimera-bench table NAME` draws each.
        tables: Files of the tables below the folder of tables.
        num_runs: Number of runs.
        runs: Runs by ID.
        code: Digests of source files by path, by the digest over all of them.
        environments: Environments by their digest.
    """

    format: Literal[1] = 1
    package: PackageVersion
    studies: tuple[str, ...]
    tables: tuple[str, ...]
    num_runs: int
    runs: dict[str, RunEntry]
    code: dict[str, dict[str, str]]
    environments: dict[str, Environment]


def describe_package() -> PackageVersion:
    """Return the version and the code of this installation."""
    try:
        return PackageVersion(version=version(PACKAGE), code=digest_package())
    except PackageNotFoundError:
        return PackageVersion(version="not installed", code=digest_package())


def make_manifest(
    records: Iterable[RunRecord], *, studies: Sequence[str], tables: Sequence[str], package: PackageVersion
) -> ResultsManifest:
    """Return the manifest of runs and their tables.

    Args:
        records: Records of the runs.
        studies: Names that the tables are of.
        tables: Files of the tables.
        package: Package that drew the tables.
    """
    records = sorted(records, key=lambda record: record.spec.id)
    return ResultsManifest(
        package=package,
        studies=tuple(studies),
        tables=tuple(sorted(tables)),
        num_runs=len(records),
        runs={record.spec.id: _describe_run(record) for record in records},
        code=dict(sorted((digest_code(record.code), record.code) for record in records)),
        environments={digest: value for digest, value in sorted(map(_digest_environment, records), key=_get_digest)},
    )


def _describe_run(record: RunRecord) -> RunEntry:
    return RunEntry(
        state=record.state,
        counts=record.counts_digest,
        code=digest_code(record.code),
        environment=_digest_environment(record)[0],
    )


def _digest_environment(record: RunRecord) -> tuple[str, Environment]:
    environment = record.environment
    return hashlib.sha256(environment.canonical().encode()).hexdigest(), environment


def _get_digest(item: tuple[str, Environment]) -> str:
    return item[0]
