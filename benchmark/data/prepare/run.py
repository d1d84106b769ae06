"""Preparing a data set: what there is to prepare, and doing it without harm to the originals."""

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
from benchmark.data.prepare.plan import Plan
from benchmark.data.prepare.work import Observe, Outcome, run_tasks
from benchmark.utils.atomic_files import write_text
from benchmark.utils.did_you_mean import unknown_name
from benchmark.utils.lock import Busy, holding

MARKER = "prepared.json"
VERSION = 1
"""Of what is written; raised when the same originals give other files."""


@dataclass(frozen=True)
class Preparation:
    """Something that can be prepared.

    Attributes:
        dataset: name of its description, see `benchmark.data.folders.dataset_spec`.
        layouts: what a user calls the layouts it can be written in, the usual one first, and their names in the
            description.
        plan: says what to write, given the folder of the originals, the folder for the results, and a layout.
    """

    dataset: str
    layouts: dict[str, str]
    plan: Callable[[Path, Path, str], Plan]


PREPARATIONS = {
    "pascal_context": Preparation("pascal_context", {"mmseg": "mmseg"}, plan_official),
    "pascal_context_detail": Preparation("pascal_context", {"mmseg": "mmseg"}, plan_detail),
    "coco_stuff164k": Preparation(
        "coco_stuff164k", {"mmseg": "mmseg", "detectron2": "detectron2_converted"}, plan_coco_stuff
    ),
    "ade20k_847": Preparation("ade20k_847", {"detectron2": "detectron2"}, plan_ade20k_full),
}


def prepare(
    what: str,
    *,
    root: Path,
    out: Path,
    layout: str | None = None,
    jobs: int = 0,
    observe: Observe = lambda done, total: None,
) -> Outcome:
    """Convert a data set, or go on where that was interrupted.

    Args:
        what: a name in `PREPARATIONS`.
        root: where the originals are; none of them is written to.
        out: a new or empty folder for the results, or one to go on with.
        layout: one of the preparation's; its first where None.
        jobs: processes at a time; 0 works in this one.
        observe: told after every file.

    Returns:
        How it ended. Lists of images are written only where no original is broken.

    Raises:
        KeyError: there is no such preparation or layout; names the nearest.
        ValueError: the originals are not at `root`, `out` lies so that they would be overwritten, or it holds something
            else.
        OSError: a file cannot be written.
        Busy: another process prepares the same there.
    """
    layout = _known_layout(what, layout)
    if not root.is_dir():
        raise ValueError(f"{root} is not a folder; give the one with the originals")
    if out.resolve() == root.resolve():
        raise ValueError(f"{out} holds the originals; give another folder for the results")
    plan = PREPARATIONS[what].plan(root, out, PREPARATIONS[what].layouts[layout])
    if not plan.tasks:
        raise ValueError(f"{root} has nothing to convert to {what}: no mask is in its folders or on its lists")
    _refuse_to_overwrite(plan)
    _claim(out, what, layout)
    with _alone_in(out):
        _remove_drafts(task.result.parent for task in plan.tasks)
        outcome = run_tasks(plan.tasks, jobs=jobs, observe=observe)
        if not outcome.broken:
            _complete(plan)
    return outcome


def _known_layout(what: str, layout: str | None) -> str:
    if what not in PREPARATIONS:
        raise KeyError(unknown_name("preparation", what, PREPARATIONS))
    layouts = PREPARATIONS[what].layouts
    if layout is not None and layout not in layouts:
        raise KeyError(unknown_name(f"layout of {what}", layout, layouts))
    return layout or next(iter(layouts))


def _refuse_to_overwrite(plan: Plan) -> None:
    originals = _places([*(task.source for task in plan.tasks), *plan.inputs, *plan.links.values()])
    hit = sorted(originals & _places([*(task.result for task in plan.tasks), *plan.lists, *plan.links]))
    if hit:
        raise ValueError(f"{hit[0]} is an original and would be written to; give another folder for the results")


def _places(paths: Iterable[Path]) -> set[Path]:
    """Files by where they really lie; folders are looked up once, as there may be a hundred thousand files."""
    real = cache(Path.resolve)
    return {real(path.parent) / path.name for path in paths}


def _claim(out: Path, what: str, layout: str) -> None:
    """Make sure that the folder is ours, and say so in it: what others made there would be taken for ours."""
    marker = out / MARKER
    text = json.dumps({"what": what, "layout": layout, "version": VERSION}) + "\n"
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file; give a new or empty folder for the results")
    if marker.is_file():
        found = marker.read_text(encoding="utf-8")
        if found != text:
            raise ValueError(f"{out} holds {found.strip()}, not {text.strip()}; give a new or empty folder")
    elif out.is_dir() and next(out.iterdir(), None) is not None:
        raise ValueError(f"{out} is not empty and has no {MARKER}, so it is not ours; give a new or empty folder")
    else:
        write_text(marker, text)


@contextlib.contextmanager
def _alone_in(out: Path) -> Iterator[None]:
    """Hold the folder: another process would take our drafts for those of one that died."""
    mark = out / ".prepare"
    try:
        with holding(mark):
            yield
    except Busy as error:
        raise Busy(f"{out} is being written to: {error}") from error
    finally:
        with contextlib.suppress(OSError):
            mark.rmdir()


def _remove_drafts(folders: Iterable[Path]) -> None:
    for folder in set(folders):
        for draft in folder.glob(".draft-*"):
            draft.unlink(missing_ok=True)


def _complete(plan: Plan) -> None:
    """Links to the pictures, then the lists."""
    for link, folder in plan.links.items():
        if folder.is_dir() and not link.exists():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(folder.resolve(), target_is_directory=True)
    for path, text in plan.lists.items():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            write_text(path, text)
