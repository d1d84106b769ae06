"""Code that can change the result of a run: the parts of the harness that it uses, and the modules of its method."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmark.core.run_spec import RunSpec
from benchmark.data.catalog import DATASETS
from benchmark.planning.registry import find_source
from benchmark.planning.resolve import find_method_of, load_split_of
from benchmark.store.staleness import digest_modules
from benchmark.utils.external_sources import open_external_method
from benchmark.utils.paths import ROOT
from benchmark.utils.source_files import find_imported_files

ENTRIES = ("benchmark/execution/runner.py", "benchmark/execution/load_run.py")
"""Files from which the harness of a run is imported, together with its engine."""
ENGINES = {"fabric": "benchmark/engine/fabric.py", "detectron2": "benchmark/d2/engine/detectron2_engine.py"}
IMPORT_ENTRY = "benchmark/exchange/count_labels.py"
"""File from which the code behind the counts of imported labels is imported."""
PARTS = (
    *ENTRIES,
    "benchmark/core",
    "benchmark/d2/engine",
    "benchmark/data",
    "benchmark/engine",
    "benchmark/evaluation",
    "benchmark/exchange",
    "benchmark/planning/method_setup.py",
    "benchmark/wrappers",
)
"""Files and folders that can change a result, as far as a run imports them."""
NOT_PARTS = tuple(
    f"benchmark/core/{name}.py"
    for name in ("environment", "overrides", "run_name", "run_record", "run_spec", "run_state", "study")
)
"""Files within them that describe runs."""
NOT_OF_IMPORTS = (
    *(f"benchmark/core/{name}.py" for name in ("budget", "lazy_scores", "method", "prompts", "protocol", "seeding")),
    *(f"benchmark/data/{name}.py" for name in ("loader", "resize", "samplers", "transforms")),
)
"""Files within them that make or read inputs of methods, which the counts of imported labels do not depend on."""


def describe_code(spec: RunSpec) -> dict[str, str]:
    """Return the digests of the files that can change the result of a run, by path relative to the package.

    The modules of an external method are left out, because they are part of the run's identity. A method or split that
    is not found, which makes the run fail, is left out, too.
    """
    files = [*_list_harness_files(spec), *_list_method_files(spec)]
    names = sorted({path.relative_to(ROOT).as_posix() for path in files})
    digests = digest_modules(names)
    return {name: digests[name] for name in names}


def _list_harness_files(spec: RunSpec) -> Iterator[Path]:
    excluded = [ROOT / name for name in (*NOT_PARTS, *_list_unused_parts(spec))]
    parts = [ROOT / name for name in PARTS]
    entries = (IMPORT_ENTRY,) if spec.is_imported else (*ENTRIES, ENGINES[spec.engine])
    for file in find_imported_files([ROOT / entry for entry in entries], {"benchmark": ROOT}, through_exports=True):
        if any(file.is_relative_to(part) for part in parts) and not any(map(file.is_relative_to, excluded)):
            yield file


def _list_unused_parts(spec: RunSpec) -> Iterator[str]:
    """Yield the parts that the harness imports and this run does not use."""
    if spec.is_imported:
        yield from NOT_OF_IMPORTS
    if spec.protocol.setting == "inductive":
        yield "benchmark/wrappers/self_training.py"
    if not spec.protocol.test.window:
        yield "benchmark/wrappers/sliding_window.py"
    try:
        is_generated = load_split_of(spec).dataset in DATASETS
    except (KeyError, ValueError):
        return
    yield "benchmark/data/folders" if is_generated else "benchmark/data/toybox"


def _list_method_files(spec: RunSpec) -> list[Path]:
    try:
        source = find_source(find_method_of(spec))
    except (KeyError, ValueError):
        return []
    # the neighbors of an external method may import from `methods` as well
    sources = open_external_method(source).list_modules() if spec.source else [source]
    files = find_imported_files(sources, {"methods": ROOT}, through_exports=True)
    return [file for file in files if file.is_relative_to(ROOT / "methods")]
