"""A yacs YAML file for a `DefaultTrainer`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from benchmark.core.protocol import Protocol, Resize, ShortSides
from benchmark.d2.configs.configs import LINE, Choice, header, remarks_on_training

UNBOUNDED = 100_000
"""Pixels of a side that is not bounded; Detectron2 asks for a bound."""


def yacs_text(choice: Choice) -> str:
    """The content of the file.

    Raises:
        ValueError: Detectron2's mapper cannot read such labels.
    """
    setting = choice.setting
    faults = ["needs to know which pixels are to be filled"] if setting.protocol.setting != "inductive" else []
    faults += ["has labels of more than 8 bits"] if choice.train.is_wide else []
    if faults and setting.budget.iterations:
        raise ValueError(
            f"{choice.split!r} under protocol {setting.protocol.name!r} {faults[0]}, which Detectron2's mapper cannot "
            "give: write a LazyConfig (--out FILE.py), which has ours"
        )
    text = header(
        choice,
        call="python -m benchmark.d2.train_net",
        weights="MODEL.WEIGHTS ",
        without_gpu="--num-gpus 0, and MODEL.DEVICE cpu at the end",
        remarks=[*_remarks(choice), *remarks_on_training(choice)],
    )
    return text + yaml.safe_dump(_values(choice), sort_keys=False, default_flow_style=None, width=LINE)


def _values(choice: Choice) -> dict[str, Any]:
    own: dict[str, Any] = {"OVERRIDES": list(choice.overrides)} if choice.overrides else {}
    own |= {"PROTOCOL": choice.protocol} if choice.protocol else {}
    return {
        "VERSION": 2,
        "SEED": choice.seed,
        "OUTPUT_DIR": choice.output,
        "MODEL": {"META_ARCHITECTURE": choice.architecture},
        "DATASETS": {"TRAIN": [choice.train.name], "TEST": [choice.test.name]},
        "DATALOADER": {"ASPECT_RATIO_GROUPING": False},
        "INPUT": {"FORMAT": "RGB"} | _training_size(choice.setting.protocol) | _test_size(choice.setting.protocol),
        "SOLVER": _solver(choice),
    } | ({"CHIMERA": own} if own else {})


def _training_size(protocol: Protocol) -> dict[str, Any]:
    """Sizes in training. Detectron2 cuts out first and resizes then; we do it the other way round."""
    train = protocol.train
    size: dict[str, Any] = {"RANDOM_FLIP": "horizontal" if train.flip else "none"}
    if train.resize is None:
        size |= {"MIN_SIZE_TRAIN": [0]}
        if train.crop:
            size |= {"CROP": {"ENABLED": True, "TYPE": "absolute", "SIZE": [train.crop, train.crop]}}
    elif train.crop:
        share = round(_smallest_share(train.crop, train.resize), 4)
        size |= {"MIN_SIZE_TRAIN": [train.crop], "MAX_SIZE_TRAIN": train.crop}
        size |= {"CROP": {"ENABLED": True, "TYPE": "relative_range", "SIZE": [share, share]}}
    elif isinstance(train.resize, ShortSides):
        size |= {"MIN_SIZE_TRAIN": list(train.resize.sides), "MAX_SIZE_TRAIN": train.resize.longest or UNBOUNDED}
    else:
        ends = [round(factor * train.resize.short_side) for factor in (train.resize.low, train.resize.high)]
        size |= {"MIN_SIZE_TRAIN": ends, "MIN_SIZE_TRAIN_SAMPLING": "range"}
        size |= {"MAX_SIZE_TRAIN": round(train.resize.high * train.resize.long_side)}
    return size


def _smallest_share(crop: int, resize: Resize) -> float:
    """Of a side, what a crop takes where the picture was resized the most."""
    largest = max(resize.sides) if isinstance(resize, ShortSides) else resize.high * resize.short_side
    return min(1.0, crop / largest)


def _test_size(protocol: Protocol) -> dict[str, Any]:
    return {"MIN_SIZE_TEST": protocol.test.short_side, "MAX_SIZE_TEST": protocol.test.longest or UNBOUNDED}


def _solver(choice: Choice) -> dict[str, Any]:
    budget = choice.setting.budget
    warmup = max(0, min(choice.warmup, budget.iterations - 1))  # Detectron2 divides by the iterations that are left
    return {
        "MAX_ITER": budget.iterations,
        "IMS_PER_BATCH": budget.batch_size,
        "BASE_LR": budget.learning_rate,
        "LR_SCHEDULER_NAME": "WarmupCosineLR",
        "WARMUP_ITERS": warmup,
        "WARMUP_FACTOR": 1 / max(1, warmup),
        "RESCALE_INTERVAL": True,
        "WEIGHT_DECAY": budget.weight_decay,
        "WEIGHT_DECAY_NORM": 0.0,
        "WEIGHT_DECAY_BIAS": 0.0,
        "CLIP_GRADIENTS": {"ENABLED": True, "CLIP_TYPE": "norm", "CLIP_VALUE": budget.clip_norm},
        "AMP": {"ENABLED": choice.is_mixed},
        "CHECKPOINT_PERIOD": choice.checkpoint_period,
    }


def _remarks(choice: Choice) -> Iterator[str]:
    """What a `DefaultTrainer` and its mapper do otherwise."""
    yield (
        "SOLVER has the numbers of AdamW, which benchmark.d2.train_net builds. Detectron2's own build_optimizer makes "
        "SGD of them, and clips each gradient by itself and not the norm of all."
    )
    if choice.warmup > 1:
        most = (choice.warmup - 1) / choice.warmup**2
        yield f"The learning rate is up to {most:.1%} of BASE_LR lower in the warm-up."
    yield from _remarks_on_images(choice.setting.protocol)


def _remarks_on_images(protocol: Protocol) -> Iterator[str]:
    train = protocol.train
    if train.crop and train.resize is not None:
        least = _smallest_share(train.crop, train.resize)
        yield (
            f"Training views are cut out before they are resized: {least:.0%} to 100% of each side, "
            f"fitted into {train.crop} x {train.crop} (under the protocol: resized, then cut out)."
        )
    if train.crop and train.largest_share < 1:
        yield "Crops with hardly more than one class are taken as they are, and not drawn again."
    if train.colour != "none":
        yield f"Colours stay as they are (under the protocol: {train.colour!r})."
    if protocol.test.short_side and not protocol.antialias:
        yield "Pictures that are made smaller are low-passed."
