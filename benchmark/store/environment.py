"""Code, packages and machine of a run; recorded next to its result, not part of its identity."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmark.core.environment import Environment
from benchmark.utils.instruction_set import read_cpu_info
from benchmark.utils.paths import ROOT

SOURCES = (
    "benchmark/core",
    "benchmark/data",
    "benchmark/planning",
    "benchmark/utils",
    "benchmark/wrappers",
    "methods",
)
"""Folders whose code can change the plan of a study; what can change a result is in `benchmark.planning.run_code`."""
NOT_SOURCES = ("benchmark/data/prepare", "methods/pretrain", "methods/probes")
"""Folders within them that no run executes: those that make datasets and weights, or examine finished runs."""
SUFFIXES = (".json", ".py", ".safetensors", ".yaml")
PACKAGES = {
    "lightning-fabric": "lightning_fabric",
    "numpy": "numpy",
    "open-clip-torch": "open_clip",
    "pillow": "PIL",
    "pydantic": "pydantic",
    "safetensors": "safetensors",
    "scipy": "scipy",
    "segmentation-models-pytorch": "segmentation_models_pytorch",
    "timm": "timm",
    "torch": "torch",
    "torchvision": "torchvision",
}
"""Packages that results may depend on: name of the distribution to name of the module."""
DETECTRON2_DEPENDENCIES = ("fvcore", "iopath", "omegaconf")


def describe_environment() -> Environment:
    """Return the environment of this process."""
    import torch

    from benchmark.store.machine import describe_machine

    return Environment(
        commit=find_commit(),
        python=platform.python_version(),
        packages=list_package_versions(),
        platform=f"{platform.system()} {platform.machine()}",
        device=get_device_name(),
        threads=torch.get_num_threads(),
        machine=describe_machine(),
    )


@cache
def compute_code_digest(root: Path = ROOT) -> str:
    """Return the SHA-256 over names and contents of all files that a plan may depend on: code and included weights.

    Files are read once per process, because a process runs the code that it loaded.
    """
    return _digest_files(root, _list_sources(root))


@cache
def digest_package(root: Path = ROOT) -> str:
    """Return the SHA-256 over all code, splits and included weights, which is all that a table is drawn with."""
    folders = ("benchmark", "methods", "splits")
    paths = (path for folder in folders for path in sorted((root / folder).rglob("*")))
    return _digest_files(root, (path for path in paths if path.suffix in SUFFIXES and path.is_file()))


def find_commit(root: Path = ROOT, *, sources: Iterable[str] = ("benchmark", "methods", "splits")) -> str:
    """Return the git commit of a checkout, with "+" if sources differ from it; empty outside a checkout.

    Args:
        root: Top folder of the checkout.
        sources: Files and folders that are compared with the commit.
    """
    top = _ask_git(root, "rev-parse", "--show-toplevel")
    head = _ask_git(root, "rev-parse", "--verify", "--quiet", "HEAD")
    if not head or Path(top).resolve() != root:
        return ""
    is_dirty = bool(_ask_git(root, "status", "--porcelain", "--", *sources))
    return f"{head}+" if is_dirty else head


def list_package_versions() -> dict[str, str]:
    """Return the versions of `PACKAGES`, and of Detectron2 and its dependencies if it is loaded."""
    versions = _read_versions(PACKAGES)
    if getattr(sys.modules.get("detectron2"), "__file__", None):
        versions |= {"detectron2": describe_detectron2()} | _read_versions(DETECTRON2_DEPENDENCIES)
    return dict(sorted(versions.items()))


def describe_detectron2() -> str:
    """Return version and commit of the loaded Detectron2, or a digest of its sources instead of the commit.

    The version alone says little: the last release and everything after it, for years, are 0.6.
    """
    package = sys.modules["detectron2"]
    folder = Path(str(package.__file__)).resolve().parent
    return f"{package.__version__} {find_commit(folder.parent, sources=(folder.name,)) or _describe_sources(folder)}"


def get_device_name() -> str:
    """Return the name of the accelerator, or else of the processor."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"cpu ({read_cpu_info().get('model name') or platform.processor() or platform.machine()})"


@cache
def _describe_sources(folder: Path) -> str:
    return f"sources {_digest_files(folder, sorted(folder.rglob('*.py')))[:16]}"


def _digest_files(root: Path, paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(root).as_posix()} {content}\n".encode())
    return digest.hexdigest()


def _list_sources(root: Path) -> Iterator[Path]:
    for folder in SOURCES:
        for path in sorted((root / folder).rglob("*")):
            is_excluded = any(path.is_relative_to(root / excluded) for excluded in NOT_SOURCES)
            if path.suffix in SUFFIXES and path.is_file() and not is_excluded:
                yield path


def _read_versions(names: Iterable[str]) -> dict[str, str]:
    """Return versions by name of the distribution, without those that are not installed."""
    versions: dict[str, str] = {}
    for name in names:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def _ask_git(root: Path, *arguments: str) -> str:
    """Return the output of a git command; empty if there is no git, no checkout or no output in time."""
    command = ["git", "-C", str(root), *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=10, env=environment, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout.strip() if result.returncode == 0 else ""
