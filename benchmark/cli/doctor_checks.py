"""Checks of `doctor`: each prints one line, and only what prevents runs is an error."""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement

from benchmark.execution.worker_limits import list_worker_limits
from benchmark.store.file_system import list_missing_abilities
from benchmark.utils.instruction_set import PINS, SYNONYMS, has_avx2, list_unpinned, read_cpu_info
from benchmark.utils.paths import ROOT
from benchmark.utils.processes import count_cores

Level = Literal["ok", "warning", "error"]
GIB = 2**30
MIN_FREE_GIB = 2.0
_OPTIONAL_USES = {"cv2": "images by its Visualizer"}
"""Features of Detectron2 that need a package, by the name of the package."""


@dataclass(frozen=True)
class Check:
    """Result of one check.

    Attributes:
        name: Subject of the check.
        level: "error" prevents runs, "warning" limits them.
        text: Finding and, if it is not ok, what to do.
    """

    name: str
    level: Level
    text: str


def examine(root: Path) -> Iterator[Check]:
    """Run all checks one after the other; a check that cannot be made is a warning.

    Args:
        root: Folder of run records.
    """
    checks: dict[str, Callable[[], list[Check]]] = {
        "python": _check_python,
        "packages": _check_packages,
        "torch": _check_torch,
        "arithmetic": _check_arithmetic,
        "threads": _check_threads,
        "weights": _check_weights,
        "data": _check_data,
        "workers": _check_workers,
        "records": lambda: _check_records(root),
        "cache": _check_cache,
        "git": _check_git,
        "detectron2": _check_detectron2,
        "slurm": _check_slurm,
    }
    for name, check in checks.items():
        try:
            yield from check()
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            yield Check(name, "warning", f"cannot be checked: {error}")


def _check_python() -> list[Check]:
    text = f"{platform.python_version()} at {sys.executable}"
    is_supported = sys.version_info >= (3, 11)
    return [
        Check("python", "ok" if is_supported else "error", text if is_supported else f"{text}; needs 3.11 or newer")
    ]


def _check_packages() -> list[Check]:
    required = [Requirement(line) for line in _read_requirements()]
    required = [package for package in required if package.marker is None or package.marker.evaluate({"extra": ""})]
    versions = {package.name: _find_version(package.name) for package in required}
    installed = ", ".join(f"{name} {number}" for name, number in versions.items() if number)
    missing = [str(package) for package in required if not versions[package.name]]
    old = [
        f"{package.name} {versions[package.name]} (needs {package.specifier})"
        for package in required
        if versions[package.name] and not package.specifier.contains(versions[package.name], prereleases=True)
    ]
    checks = [Check("packages", "ok", installed)]
    checks += [Check("packages", "error", f"missing: {', '.join(missing)}; install with pip")] if missing else []
    checks += [Check("packages", "warning", f"too old: {', '.join(old)}; update with pip")] if old else []
    return checks


def _read_requirements() -> list[str]:
    """Return the requirements in `pyproject.toml` or, without a checkout, those of the installed package."""
    project = ROOT / "pyproject.toml"
    if project.is_file():
        requirements: list[str] = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"]
        return requirements
    return requires("chimera-bench") or []


def _check_torch() -> list[Check]:
    try:
        import torch

        importlib.import_module("torchvision")
    except Exception as error:  # a broken build may raise any exception
        line = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        return [Check("torch", "error", f"torch and torchvision cannot be imported together ({line}); reinstall both")]
    if torch.cuda.is_available():
        return [Check("torch", "ok", f"works on {torch.cuda.get_device_name()}")]
    return [Check("torch", "ok", "works; no CUDA device, runs use the CPU")]


def _check_arithmetic() -> list[Check]:
    """Say whether CPU results are expected to equal those of other machines, bit for bit."""
    processor = read_cpu_info().get("model name") or platform.processor() or "unknown processor"
    risk = f"{processor}: CPU results may differ from those of other machines in the last bits"
    if not has_avx2():
        return [Check("arithmetic", "warning", f"{risk}; no x86-64 processor with AVX2")]
    pins = " ".join(f"{name}={value}" for name, value in PINS.items())
    advice = [_advise_pin(name) for name in list_unpinned()]
    if advice:
        return [Check("arithmetic", "warning", f"{risk}; {'; '.join(dict.fromkeys(advice))} to get {pins}")]
    return [Check("arithmetic", "ok", f"{processor}, pinned: {pins}")]


def _advise_pin(name: str) -> str:
    """Return what to do about a variable of `PINS` that has another value or none."""
    given = next((each for each in (name, SYNONYMS.get(name, name)) if each in os.environ), "")
    if given:
        return f"unset {given} (it is {os.environ[given]})"
    return "torch was loaded before benchmark, which then sets nothing: import benchmark first"


def _check_threads() -> list[Check]:
    text = f"{count_cores()} cores for this process: {count_cores()} runs at a time, one thread each"
    omp = os.environ.get("OMP_NUM_THREADS")
    return [Check("threads", "ok", text + (f"; OMP_NUM_THREADS={omp}" if omp else ""))]


def _check_weights() -> list[Check]:
    """Look for the included toy weights, without which toybox runs fail."""
    folder = ROOT / "methods" / "blocks" / "assets"
    names = ("toy_clip.safetensors", "toy_body.safetensors")
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        text = f"{', '.join(missing)} missing in {folder}; regenerate with chimera-bench pretrain"
        return [Check("weights", "error", text)]
    sizes = ", ".join(f"{name} {(folder / name).stat().st_size / 2**20:.1f} MB" for name in names)
    return [Check("weights", "ok", sizes)]


def _check_data() -> list[Check]:
    """Look for real datasets; `data check` says whether they are complete."""
    from benchmark.data.folders.dataset_spec import list_dataset_specs, load_dataset_spec
    from benchmark.data.folders.discovery import list_data_folders, locate_dataset

    folders = list_data_folders()
    if not folders:
        return [Check("data", "ok", "no folder of real datasets (--data); toybox needs none")]
    datasets = {name: locate_dataset(load_dataset_spec(name), folders) for name in list_dataset_specs()}
    lines = [f"{name} in {location.root}" for name, location in datasets.items() if location is not None]
    if not lines:
        text = f"no dataset in {', '.join(map(str, folders))}; chimera-bench data check NAME says what is missing"
        return [Check("data", "warning", text)]
    return [Check("data", "ok", "; ".join(lines))]


def _check_workers() -> list[Check]:
    """Look at the limits that data-loading workers and worker processes meet."""
    limits = [Check("workers", "warning", line) for line in list_worker_limits()]
    return limits or [Check("workers", "ok", "sockets, semaphores and open files suffice for worker processes")]


def _check_records(root: Path) -> list[Check]:
    """Check the space for records, and try what their file system can do."""
    space = _check_space("records", root)
    if space.level == "error":
        return [space]
    try:
        missing = list_missing_abilities(_find_existing(root))
    except OSError as error:
        return [Check("records", "error", f"{root} cannot be written to ({error.strerror})")]
    return [space, *(Check("records", "warning", f"the file system of {root}: {line}") for line in missing)]


def _check_cache() -> list[Check]:
    from benchmark.utils.paths import CACHE_VARIABLE, find_cache_folder

    check = _check_space("cache", find_cache_folder())
    if check.level != "error":
        return [check]
    return [
        Check("cache", "warning", f"{check.text}: text is embedded again by each run; set {CACHE_VARIABLE} to a folder")
    ]


def _check_space(name: str, folder: Path) -> Check:
    """Check that a folder, or its nearest existing parent, can be written to and has free space."""
    existing = _find_existing(folder)
    free = shutil.disk_usage(existing).free / GIB
    problem = _find_write_problem(existing)
    if problem:
        return Check(name, "error", f"{folder} cannot be written to ({problem})")
    text = f"{free:.1f} GB free at {folder}"
    if free < MIN_FREE_GIB:
        return Check(name, "warning", f"{text}; free more space")
    return Check(name, "ok", text)


def _find_write_problem(folder: Path) -> str:
    """Return why nothing can be created in a folder; empty if something can."""
    try:
        tempfile.TemporaryDirectory(prefix=".trial-", dir=folder).cleanup()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _find_existing(folder: Path) -> Path:
    """Return a folder or its nearest parent that exists."""
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if os.path.exists(path))


def _check_git() -> list[Check]:
    from benchmark.store.environment import find_commit

    commit = find_commit()
    if not commit:
        return [Check("git", "warning", "not a git checkout: runs record no commit")]
    if commit.endswith("+"):
        return [Check("git", "warning", f"commit {commit[:12]}, with uncommitted changes to the sources")]
    return [Check("git", "ok", f"commit {commit[:12]}, clean")]


def _check_detectron2() -> list[Check]:
    """Import Detectron2 if it is installed, since only that shows whether it works."""
    from benchmark.store.environment import describe_detectron2
    from benchmark.utils.optional_packages import require_detectron2

    module = importlib.util.find_spec("detectron2")
    if module is None:
        return [Check("detectron2", "ok", "not installed; needed only for --engine detectron2 and Detectron2 bodies")]
    try:
        require_detectron2()
    except ValueError as error:
        return [Check("detectron2", "warning", str(error))]
    lacks = [f"without {name}: no {use}" for name, use in _OPTIONAL_USES.items() if not importlib.util.find_spec(name)]
    text = f"{describe_detectron2()} at {Path(str(module.origin)).parent}"
    return [Check("detectron2", "ok", "; ".join([text, *lacks])), _check_extension()]


def _check_extension() -> Check:
    """Check the compiled extension of Detectron2, which Detectron2 silently does without if it does not load."""
    uses = "needed only for rotated boxes and deformable convolution"
    if importlib.util.find_spec("detectron2._C") is None:
        return Check("detectron2", "ok", f"no compiled extension, {uses}")
    try:
        importlib.import_module("detectron2._C")
    except ImportError as error:
        return Check("detectron2", "warning", f"its compiled extension does not load ({error}); rebuild it, {uses}")
    return Check("detectron2", "ok", "its compiled extension loads")


def _check_slurm() -> list[Check]:
    from slurm.scheduler.cluster_config import SlurmUnreachableError, list_warnings, query_cluster_config

    sbatch = shutil.which("sbatch")
    if not sbatch:
        return [Check("slurm", "ok", "no sbatch on this machine; runs are local")]
    try:
        cluster = query_cluster_config()
    except SlurmUnreachableError as error:
        return [Check("slurm", "warning", f"sbatch at {sbatch}, but SLURM does not answer: {error}")]
    size = f", arrays of up to {cluster.max_array_size}" if cluster.max_array_size else ""
    return [
        Check("slurm", "ok", f"sbatch at {sbatch}, SLURM {cluster.version}{size}"),
        *(Check("slurm", "warning", line) for line in list_warnings(cluster)),
    ]


def _find_version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
