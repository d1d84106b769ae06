"""Can this machine run the suite? Every answer is one line; only what prevents running is bad."""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
import shutil
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement

from benchmark.execution.local_pool import cores
from benchmark.utils.paths import ROOT

Level = Literal["ok", "warn", "bad"]
GIB = 2**30
LEAST_FREE_GIB = 2.0
_USES = {"cv2": "pictures by its Visualizer", "tensorboard": "TensorBoard files of runs"}
"""What Detectron2 does with packages that it can be imported without."""


@dataclass(frozen=True)
class Check:
    """One answer.

    Attributes:
        name: what was looked at.
        level: "bad" prevents running, "warn" limits it.
        text: what was found, and what to do where it is not ok.
    """

    name: str
    level: Level
    text: str


def examine(root: Path) -> Iterator[Check]:
    """Look at everything, one check after the other; a check that cannot be made is a warning.

    Args:
        root: folder of run records.
    """
    looks: dict[str, Callable[[], list[Check]]] = {
        "python": _python,
        "packages": _packages,
        "torch": _torch,
        "threads": _threads,
        "weights": _weights,
        "data": _data,
        "records": lambda: [_room("records", root)],
        "cache": _cache,
        "git": _git,
        "detectron2": _detectron2,
        "slurm": _slurm,
    }
    for name, look in looks.items():
        try:
            yield from look()
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            yield Check(name, "warn", f"cannot be looked at: {error}")


def _python() -> list[Check]:
    found = f"{platform.python_version()} at {sys.executable}"
    enough = sys.version_info >= (3, 11)
    return [Check("python", "ok" if enough else "bad", found if enough else f"{found}; 3.11 or newer is needed")]


def _packages() -> list[Check]:
    wanted = [Requirement(line) for line in _requirements()]
    wanted = [one for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]
    versions = {one.name: _version(one.name) for one in wanted}
    found = ", ".join(f"{name} {number}" for name, number in versions.items() if number)
    missing = [str(one) for one in wanted if not versions[one.name]]
    old = [
        f"{one.name} {versions[one.name]} (wanted {one.specifier})"
        for one in wanted
        if versions[one.name] and not one.specifier.contains(versions[one.name], prereleases=True)
    ]
    checks = [Check("packages", "ok", found)]
    checks += [Check("packages", "bad", f"missing: {', '.join(missing)}; install them with pip")] if missing else []
    checks += [Check("packages", "warn", f"too old: {', '.join(old)}")] if old else []
    return checks


def _requirements() -> list[str]:
    """What this package asks for: as installed, or as its checkout says."""
    project = ROOT / "pyproject.toml"
    if project.is_file():
        found: list[str] = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"]
        return found
    return requires("chimera-bench") or []


def _torch() -> list[Check]:
    try:
        import torch

        importlib.import_module("torchvision")
    except Exception as error:  # a broken build raises whatever it likes
        line = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        return [Check("torch", "bad", f"torch and torchvision do not import together ({line}); install both anew")]
    if torch.cuda.is_available():
        return [Check("torch", "ok", f"imports; {torch.cuda.get_device_name()}")]
    return [Check("torch", "ok", "imports; no CUDA device, runs use the CPU")]


def _threads() -> list[Check]:
    found = f"{cores()} cores for this process, so as many runs at a time, one thread each"
    given = os.environ.get("OMP_NUM_THREADS")
    return [Check("threads", "ok", found + (f"; OMP_NUM_THREADS={given}" if given else ""))]


def _weights() -> list[Check]:
    """Weights that ship: where they are missing, toybox runs fail and others do not."""
    folder = ROOT / "methods" / "blocks" / "assets"
    names = ("toy_clip.safetensors", "toy_body.safetensors")
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        return [Check("weights", "bad", f"{', '.join(missing)} missing in {folder}; make them: chimera-bench pretrain")]
    sizes = ", ".join(f"{name} {(folder / name).stat().st_size / 2**20:.1f} MB" for name in names)
    return [Check("weights", "ok", sizes)]


def _data() -> list[Check]:
    """Real data sets that are found; how whole they are is for `data check`."""
    from benchmark.data.folders.dataset_spec import info_names, load_info
    from benchmark.data.folders.discovery import data_folders, find

    folders = data_folders()
    if not folders:
        return [Check("data", "ok", "no folder of real data sets is given (--data); toybox needs none")]
    found = {name: find(load_info(name), folders) for name in info_names()}
    there = [f"{name} in {one.root}" for name, one in found.items() if one is not None]
    if not there:
        return [Check("data", "warn", f"no data set is found in {', '.join(map(str, folders))}: chimera-bench data")]
    return [Check("data", "ok", "; ".join(there))]


def _cache() -> list[Check]:
    from benchmark.utils.array_cache import cache_folder

    return [_room("cache", cache_folder())]


def _room(name: str, folder: Path) -> Check:
    """Free space of a folder, or of the nearest one above it that exists; whether it can be written to."""
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free / GIB
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        return Check(name, "bad", f"{folder} cannot be written to")
    text = f"{free:.1f} GB free at {folder}"
    return Check(name, "ok", text) if free >= LEAST_FREE_GIB else Check(name, "warn", f"{text}: make room")


def _git() -> list[Check]:
    from benchmark.store.environment import commit

    found = commit()
    if not found:
        return [Check("git", "warn", "no commit is recorded with runs: not a git checkout")]
    if found.endswith("+"):
        return [Check("git", "warn", f"commit {found[:12]}, with uncommitted changes to the sources")]
    return [Check("git", "ok", f"commit {found[:12]}, clean")]


def _detectron2() -> list[Check]:
    """Where it is found it is loaded, as nothing less says whether it works."""
    from benchmark.store.environment import detectron2_version
    from benchmark.utils.optional_packages import require_detectron2

    found = importlib.util.find_spec("detectron2")
    if found is None:
        return [Check("detectron2", "ok", "not installed; only needed for --engine detectron2 and bodies d2:...")]
    try:
        require_detectron2()
    except ValueError as error:
        return [Check("detectron2", "warn", str(error))]
    lacks = [f"without {name}: no {use}" for name, use in _USES.items() if importlib.util.find_spec(name) is None]
    text = f"{detectron2_version()} at {Path(str(found.origin)).parent}"
    return [Check("detectron2", "ok", "; ".join([text, *lacks])), _extension()]


def _extension() -> Check:
    """Detectron2's compiled part: where it does not load, Detectron2 goes on without it and says nothing."""
    needed = "only rotated boxes and deformable convolution need it"
    if importlib.util.find_spec("detectron2._C") is None:
        return Check("detectron2", "ok", f"no compiled extension; {needed}")
    try:
        importlib.import_module("detectron2._C")
    except ImportError as error:
        return Check("detectron2", "warn", f"its compiled extension does not load ({error}), build it anew; {needed}")
    return Check("detectron2", "ok", "its compiled extension loads")


def _slurm() -> list[Check]:
    from slurm.scheduler.cluster_config import Unreachable, remarks, settings

    found = shutil.which("sbatch")
    if not found:
        return [Check("slurm", "ok", "no sbatch here; runs are local")]
    try:
        cluster = settings()
    except Unreachable as error:
        return [Check("slurm", "warn", f"sbatch at {found}, but SLURM does not answer: {error}")]
    size = f", arrays of up to {cluster.max_array_size}" if cluster.max_array_size else ""
    return [
        Check("slurm", "ok", f"sbatch at {found}, SLURM {cluster.version}{size}"),
        *(Check("slurm", "warn", line) for line in remarks(cluster)),
    ]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
