"""Where a run takes place: code, packages, machine. Recorded beside a run, not part of its identity."""

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

from benchmark.core.run_record import Environment
from benchmark.utils.paths import ROOT

SOURCES = ("benchmark", "methods")
KINDS = (".json", ".py", ".safetensors", ".yaml")
BESIDE = (
    "benchmark/store/attempts.py",
    "benchmark/cli",
    "benchmark/d2/models/architectures.py",
    "benchmark/d2/catalogs/catalog.py",
    "benchmark/d2/configs/configs.py",
    "benchmark/d2/models/contract.py",
    "benchmark/d2/evaluator.py",
    "benchmark/d2/catalogs/files.py",
    "benchmark/d2/configs/lazy.py",
    "benchmark/d2/catalogs/mapper.py",
    "benchmark/d2/register.py",
    "benchmark/d2/configs/solver.py",
    "benchmark/d2/train_net.py",
    "benchmark/d2/configs/yacs.py",
    "benchmark/data/folders/check.py",
    "benchmark/data/prepare",
    "benchmark/profiling/data_loading.py",
    "benchmark/cli/doctor_checks.py",
    "benchmark/store/failures.py",
    "benchmark/profiling/engine_overhead.py",
    "benchmark/evaluation/scores.py",
    "benchmark/profiling/label_maps.py",
    "benchmark/evaluation/detectron2_scores.py",
    "benchmark/qualitative/gallery.py",
    "benchmark/execution/local_pool.py",
    "benchmark/utils/lock.py",
    "benchmark/execution/oom.py",
    "benchmark/planning/plan_cache.py",
    "benchmark/execution/worker_process.py",
    "benchmark/execution/forkserver.py",
    "benchmark/execution/forkserver_preload.py",
    "benchmark/qualitative/predict.py",
    "methods/pretrain",
    "benchmark/report",
    "benchmark/utils/optional_packages.py",
    "benchmark/evaluation/stats.py",
    "benchmark/studies",
    "benchmark/store/store.py",
    "benchmark/core/study.py",
    "benchmark/execution/verify.py",
)
"""What starts runs or reads finished ones, or makes weights that are sources themselves: an edit changes no result."""
PACKAGES = (
    "lightning-fabric",
    "numpy",
    "open-clip-torch",
    "pillow",
    "pydantic",
    "safetensors",
    "scipy",
    "segmentation-models-pytorch",
    "timm",
    "torch",
    "torchvision",
)
BELOW_DETECTRON2 = ("fvcore", "iopath", "omegaconf")


def describe_environment() -> Environment:
    """The environment of this process."""
    import torch

    return Environment(
        code_digest=code_digest(),
        commit=commit(),
        python=platform.python_version(),
        packages=package_versions(),
        platform=f"{platform.system()} {platform.machine()}",
        device=device_name(),
        threads=torch.get_num_threads(),
    )


@cache
def code_digest(root: Path = ROOT) -> str:
    """SHA-256 over name and content of everything that a result may depend on: code and weights of the package.

    Read once a process, as a process runs the code that it loaded.
    """
    return _digest(root, _sources(root))


def commit(root: Path = ROOT, *, sources: Iterable[str] = (*SOURCES, "splits")) -> str:
    """Git commit of the checkout, with "+" where sources differ from it; empty outside a checkout."""
    top = _git(root, "rev-parse", "--show-toplevel")
    head = _git(root, "rev-parse", "--verify", "--quiet", "HEAD")
    if not head or Path(top).resolve() != root:
        return ""
    is_dirty = bool(_git(root, "status", "--porcelain", "--", *sources))
    return f"{head}+" if is_dirty else head


def package_versions() -> dict[str, str]:
    """Versions of the packages that results may depend on; of Detectron2 and what it needs once it is loaded."""
    versions = _versions(PACKAGES)
    if getattr(sys.modules.get("detectron2"), "__file__", None):
        versions |= {"detectron2": detectron2_version()} | _versions(BELOW_DETECTRON2)
    return dict(sorted(versions.items()))


def detectron2_version() -> str:
    """Version of the Detectron2 that is loaded, and its commit, or else a digest of its sources.

    Its version alone says little: of the last release and of all that came after, for years, it is 0.6.
    """
    package = sys.modules["detectron2"]
    folder = Path(str(package.__file__)).resolve().parent
    return f"{package.__version__} {commit(folder.parent, sources=(folder.name,)) or _sources_digest(folder)}"


@cache
def _sources_digest(folder: Path) -> str:
    return f"sources {_digest(folder, sorted(folder.rglob('*.py')))[:16]}"


def _digest(root: Path, paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(root).as_posix()} {content}\n".encode())
    return digest.hexdigest()


def _versions(names: Iterable[str]) -> dict[str, str]:
    """By name of the distribution; those that are not installed are left out."""
    found: dict[str, str] = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def device_name() -> str:
    """The accelerator's name, or the processor's."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else f"cpu ({_processor()})"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _sources(root: Path) -> Iterator[Path]:
    for folder in SOURCES:
        for path in sorted((root / folder).rglob("*")):
            name = path.relative_to(root).as_posix()
            is_beside = any(name == one or name.startswith(f"{one}/") for one in BESIDE)
            if path.suffix in KINDS and path.is_file() and not is_beside:
                yield path


def _git(root: Path, *arguments: str) -> str:
    """What git answers; empty where there is no git, no checkout or no answer."""
    command = ["git", "-C", str(root), *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, env=environment, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
