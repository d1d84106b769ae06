"""What a user asks to import, checked before any label map is read."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from benchmark.core.budget import Budget
from benchmark.core.method import Supervision
from benchmark.core.protocol_class import ProtocolClass, Setting, TargetImages, Vocabulary
from benchmark.core.run_spec import IMPORTED, RunSpec
from benchmark.core.spec_traits import derive_traits
from benchmark.core.split import Split, load_split
from benchmark.data.folders.discovery import list_data_folders
from benchmark.exchange.class_ids import CLASSES, ClassIds, make_class_ids
from benchmark.exchange.evaluation_targets import EvaluationTargets, open_targets
from benchmark.exchange.label_files import NAMES_FILE, find_labels_folder
from benchmark.exchange.label_folder import LabelFolder
from benchmark.exchange.label_source import LabelSource
from benchmark.exchange.sem_seg_json import FILE_NAME, SemSegJson
from benchmark.planning.method_setup import load_protocol_of
from benchmark.planning.resolve import SplitData, compute_fingerprint, find_split_source, load_split_of
from benchmark.utils.did_you_mean import explain_unknown_name

MAX_NAME, MAX_SHOWN = 80, 4
TRAIT_VALUES = {
    "setting": tuple(filter(None, get_args(Setting))),
    "vocabulary": tuple(filter(None, get_args(Vocabulary))),
    "target_images": tuple(filter(None, get_args(TargetImages))),
}
"""Values of the traits that a request may state, by its fields."""
STATED_TRAITS = (*TRAIT_VALUES, "backbone", "extra_models")
"""All traits that a request may state beside the supervision."""


@dataclass(frozen=True)
class ImportRequest:
    """Predictions of another program and what is known about them.

    Attributes:
        path: Folder of label maps, or a file of Detectron2.
        name: Name of the row.
        split: Name or path of the split.
        protocol: Name or path of the protocol; if empty, the split's own.
        supervision: Targets that the method used in training, a value of `Supervision`.
        seed: Seed of the predictions, as far as the user knows one.
        ids: How ids are read, see `make_class_ids`; if empty, by classes.json beside the label maps, else "classes".
        max_images: Number of images that were predicted, the first of the subset; 0 for all.
        paper: Citation of the method; may be empty.
        program: Program and version that made the predictions; may be empty.
        note: Remark; may be empty.
        setting: Knowledge about unseen classes in training, see `ProtocolClass`; if empty, that of the protocol.
        vocabulary: Classes that the method chose from; if empty, those in the image for tags, otherwise all.
        target_images: Images of the test distribution that the method adapted to; if empty, none.
        backbone: Networks that made the predictions; may be empty, for unknown.
        extra_models: Pretrained models beside the backbone.
    """

    path: Path
    name: str
    split: str
    supervision: str
    protocol: str = ""
    seed: int = 0
    ids: str = ""
    max_images: int = 0
    paper: str = ""
    program: str = ""
    note: str = ""
    setting: str = ""
    vocabulary: str = ""
    target_images: str = ""
    backbone: str = ""
    extra_models: tuple[str, ...] = ()


@dataclass(frozen=True)
class CheckedImport:
    """Label maps that have a spec, targets, and one map for every target.

    Attributes:
        spec: Spec of the run that they become.
        targets: Targets of the scored images.
        source: Label maps.
        ids: Meaning of their ids.
        remarks: Facts that a user should know, one line each.
    """

    spec: RunSpec
    targets: EvaluationTargets
    source: LabelSource
    ids: ClassIds
    remarks: tuple[str, ...] = field(default=())


def check_request(request: ImportRequest) -> CheckedImport:
    """Check everything about an import that can be known without decoding a label map.

    Raises:
        FileNotFoundError: The folder or the dataset does not exist.
        KeyError: A split, protocol, supervision, trait or rule for ids is unknown; the message names the nearest.
        ValueError: The folder holds no label maps, two for an image, or none for a scored image; or the name is none.
    """
    _check_name(request.name)
    supervision = [kind.value for kind in Supervision]
    if request.supervision not in supervision:
        raise KeyError(explain_unknown_name("supervision", request.supervision, supervision))
    for name, known in TRAIT_VALUES.items():
        if getattr(request, name) not in ("", *known):
            raise KeyError(explain_unknown_name(name.replace("_", " "), getattr(request, name), known))
    spec = make_spec(request)
    return _check_labels(request.path, spec, rule=request.ids)


def make_spec(request: ImportRequest) -> RunSpec:
    """Return the spec of imported predictions: the same fields as for a run, so that the same checks hold."""
    split = load_split(request.split)
    return RunSpec(
        method=IMPORTED,
        variant=request.name,
        config={},
        split=split.name,
        split_source=find_split_source(request.split),
        split_digest=split.digest(),
        unseen=split.unseen,
        protocol=load_protocol_of(split, protocol=request.protocol),
        dataset_fingerprint=compute_fingerprint(SplitData(split.digest(), list_data_folders(), split)),
        engine=IMPORTED,
        seed=request.seed,
        budget=Budget(iterations=0),
        max_images=request.max_images,
    )


def describe_traits(request: ImportRequest, spec: RunSpec, split: Split) -> ProtocolClass:
    """Return the traits of imported predictions: those that the request states, and those that it implies.

    Args:
        request: Checked request.
        spec: Spec of the imported run.
        split: Its split, on which the predictions are scored.
    """
    stated = {name: getattr(request, name) for name in STATED_TRAITS}
    update = {"background": split.background} | {name: value for name, value in stated.items() if value}
    return derive_traits(spec, supervision=request.supervision).model_copy(update=update)


def _check_labels(path: Path, spec: RunSpec, *, rule: str) -> CheckedImport:
    """Open label maps and check that every scored image has one.

    Args:
        path: Folder or file of the label maps.
        spec: Spec of the imported run.
        rule: How ids are read, see `ImportRequest`.
    """
    path, split = find_labels_folder(path), load_split_of(spec)
    targets = open_targets(split, max_images=spec.max_images)
    rule = rule or _find_rule(path)
    ids = make_class_ids(rule, classes=split.classes, dataset_classes=targets.dataset.classes)
    return open_labels(path, spec, targets=targets, ids=ids)


def open_labels(path: Path, spec: RunSpec, *, targets: EvaluationTargets, ids: ClassIds) -> CheckedImport:
    """Open label maps whose ids are known, and check that every scored image has one."""
    source = open_source(path, ids)
    extra = _compare_images(source, targets)
    remarks = (f"ids: {ids.text}", *ids.remarks, *([extra] if extra else []))
    return CheckedImport(spec, targets, source, ids, remarks)


def _find_rule(path: Path) -> str:
    names = (path if path.is_dir() else path.parent) / NAMES_FILE
    return str(names) if names.is_file() else CLASSES


def open_source(path: Path, ids: ClassIds) -> LabelSource:
    """Open the label maps in a folder or a file of Detectron2.

    Raises:
        FileNotFoundError: There is no such folder or file.
        ValueError: It holds no label maps, or two for one image.
    """
    if path.is_file():
        if path.suffix.lower() != ".json":
            raise ValueError(f"{path} is a file, expected a folder of label maps or {FILE_NAME}")
        return SemSegJson(path, ids)
    if not path.is_dir():
        raise FileNotFoundError(f"no folder {path}: give that of the label maps, or the path of {FILE_NAME}")
    if not (path / FILE_NAME).is_file():
        return LabelFolder(path, ids)
    if any(path.rglob("*.png")):
        raise ValueError(f"{path} holds {FILE_NAME} and PNG files: give the file itself, or another folder")
    return SemSegJson(path / FILE_NAME, ids)


def _compare_images(source: LabelSource, targets: EvaluationTargets) -> str:
    """Return a remark about label maps of other images; empty if there are none.

    Raises:
        ValueError: Scored images have no label map.
    """
    split, found = targets.split, set(source.image_ids)
    missing = [image_id for image_id in targets.image_ids if image_id not in found]
    if missing:
        raise ValueError(
            f"{source.path} lacks {len(missing)} of the {len(targets.image_ids)} images of subset {split.evaluate!r} "
            f"of {split.dataset}: {_list(missing)}; it has {source.kind}{_hint(found, missing)}"
        )
    extra = sorted(found - set(targets.image_ids))
    return f"{len(extra)} label maps are of no scored image and were left out: {_list(extra)}" if extra else ""


def _hint(found: Collection[str], missing: Collection[str]) -> str:
    """Say what the names of the files have around the ids of the images, if it is the same everywhere."""
    some = next(iter(missing))
    longer = [name for name in found if some in name]
    return f": name files by the image alone, {some}.png instead of {longer[0]}.png" if longer else ""


def _check_name(name: str) -> None:
    if not name.strip() or name != name.strip() or not name.isprintable() or len(name) > MAX_NAME:
        raise ValueError(f"--as {name!r}: give a name of 1 to {MAX_NAME} printable characters, such as 'SAM 3'")


def _list(names: Collection[str]) -> str:
    more = len(names) - MAX_SHOWN
    return ", ".join(list(names)[:MAX_SHOWN]) + (f" and {more} more" if more > 0 else "")
