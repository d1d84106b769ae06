"""Preparation of a dataset: the available conversions, and running one without harm to the originals."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmark.data.prepare.ade20k_full import plan_ade20k_full
from benchmark.data.prepare.coco_stuff import plan_coco_stuff
from benchmark.data.prepare.pascal_context import plan_detail, plan_official
from benchmark.data.prepare.plan import PreparationPlan
from benchmark.data.prepare.work import ConversionResult, OnConversionProgress, run_tasks
from benchmark.utils.atomic_files import write_text
from benchmark.utils.did_you_mean import explain_unknown_name
from benchmark.utils.lock import BusyError, hold_lock

MARKER = "prepared.json"
VERSION = 1
"""Version of the results; raised when the same originals give other files."""


@dataclass(frozen=True)
class Preparation:
    """An available conversion.

    Attributes:
        dataset: Name of the dataset's description (`benchmark.data.folders.dataset_spec`).
        layouts: Layouts that can be written, by the name that users type, the default first; the values are their
            names in the description.
        plan: Function of the folder of the originals, the folder for the results and a layout that plans the
            conversion.
    """

    dataset: str
    layouts: dict[str, str]
    plan: Callable[[Path, Path, str], PreparationPlan]


PREPARATIONS = {
    "pascal_context": Preparation("pascal_context", {"mmseg": "mmseg"}, plan_official),
    "pascal_context_detail": Preparation("pascal_context", {"mmseg": "mmseg"}, plan_detail),
    "coco_stuff164k": Preparation(
        "coco_stuff164k", {"mmseg": "mmseg", "detectron2": "detectron2_converted"}, plan_coco_stuff
    ),
    "ade20k_847": Preparation("ade20k_847", {"detectron2": "detectron2"}, plan_ade20k_full),
}


def prepare(
    name: str,
    *,
    root: Path,
    out: Path,
    layout: str | None = None,
    jobs: int = 0,
    on_progress: OnConversionProgress = lambda done, total: None,
) -> ConversionResult:
    """Convert a dataset, or continue an interrupted conversion.

    Args:
        name: Name in `PREPARATIONS`.
        root: Folder of the originals, which are never written to.
        out: A new or empty folder for the results, or one with an interrupted conversion.
        layout: Layout to write; the default layout if None.
        jobs: Number of worker processes; 0 works in this process.
        on_progress: Called after every file.

    Returns:
        The result. Lists of images are written only if no original is broken.

    Raises:
        KeyError: No preparation or layout has this name; the message suggests the closest one.
        ValueError: The originals are not in `root`, `out` would overwrite them, or it holds something else.
        OSError: A file cannot be written.
        BusyError: Another process writes to the same folder.
    """
    layout = _check_layout(name, layout)
    if not root.is_dir():
        raise ValueError(f"{root} is not a folder; give the folder of the originals")
    if out.resolve() == root.resolve():
        raise ValueError(f"{out} holds the originals; give another folder for the results")
    plan = PREPARATIONS[name].plan(root, out, PREPARATIONS[name].layouts[layout])
    if not plan.tasks:
        raise ValueError(f"{root} has nothing to convert to {name}: found no mask in its folders or on its lists")
    _refuse_to_overwrite(plan)
    _claim_folder(out, name, layout)
    with _lock_folder(out):
        _remove_drafts(task.result.parent for task in plan.tasks)
        result = run_tasks(plan.tasks, jobs=jobs, on_progress=on_progress)
        if not result.broken:
            _write_links_and_lists(plan)
    return result


def _check_layout(name: str, layout: str | None) -> str:
    """Return the layout, or the default layout of the preparation if it is None."""
    if name not in PREPARATIONS:
        raise KeyError(explain_unknown_name("preparation", name, PREPARATIONS))
    layouts = PREPARATIONS[name].layouts
    if layout is not None and layout not in layouts:
        raise KeyError(explain_unknown_name(f"layout of {name}", layout, layouts))
    return layout or next(iter(layouts))


def _refuse_to_overwrite(plan: PreparationPlan) -> None:
    originals = _resolve_paths([*(task.source for task in plan.tasks), *plan.inputs, *plan.links.values()])
    results = _resolve_paths([*(task.result for task in plan.tasks), *plan.lists, *plan.links])
    overwritten = sorted(originals & results)
    if overwritten:
        raise ValueError(f"{overwritten[0]} is an original and would be overwritten; give another folder")


def _resolve_paths(paths: Iterable[Path]) -> set[Path]:
    """Return the real paths of files; each folder is resolved once, as there may be a hundred thousand files."""
    resolve = cache(Path.resolve)
    return {resolve(path.parent) / path.name for path in paths}


def _claim_folder(out: Path, name: str, layout: str) -> None:
    """Check that the folder is new or holds this conversion, and mark it, so that foreign files are never reused."""
    marker = out / MARKER
    text = json.dumps({"what": name, "layout": layout, "version": VERSION}) + "\n"
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file, expected a new or empty folder for the results")
    if marker.is_file():
        content = marker.read_text(encoding="utf-8")
        if content != text:
            raise ValueError(f"{out} holds {content.strip()}, expected {text.strip()}; give a new or empty folder")
    elif out.is_dir() and next(out.iterdir(), None) is not None:
        raise ValueError(f"{out} is not empty and is no conversion (no {MARKER}); give a new or empty folder")
    else:
        write_text(marker, text)


@contextlib.contextmanager
def _lock_folder(out: Path) -> Iterator[None]:
    """Lock the folder: another process would mistake our drafts for those of a process that died."""
    lock = out / ".prepare"
    try:
        with hold_lock(lock):
            yield
    except BusyError as error:
        raise BusyError(f"{out} is being written to: {error}") from error
    finally:
        with contextlib.suppress(OSError):
            lock.rmdir()


def _remove_drafts(folders: Iterable[Path]) -> None:
    for folder in set(folders):
        for draft in folder.glob(".draft-*"):
            draft.unlink(missing_ok=True)


def _write_links_and_lists(plan: PreparationPlan) -> None:
    """Write the links to the images, then the lists."""
    for link, folder in plan.links.items():
        if folder.is_dir() and not link.exists():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(folder.resolve(), target_is_directory=True)
    for path, text in plan.lists.items():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            write_text(path, text)
