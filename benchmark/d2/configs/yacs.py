"""yacs config files (YAML) for a `DefaultTrainer`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from benchmark.core.protocol import Protocol, Resize, ShortSides
from benchmark.d2.configs.config_request import LINE_LENGTH, ConfigRequest, format_header, list_training_differences

UNBOUNDED = 100_000
"""Bound in pixels for sides without a bound; Detectron2 requires one."""


def format_yacs_config(request: ConfigRequest) -> str:
    """Format a yacs config file.

    Raises:
        ValueError: Detectron2's mapper cannot provide what training or evaluation needs.
    """
    obstacles = _list_obstacles(request)
    if obstacles:
        raise ValueError(
            f"{obstacles[0]}, which Detectron2's mapper does not support: write a LazyConfig (--out FILE.py), which "
            "uses SplitMapper"
        )
    text = format_header(
        request,
        program="python -m benchmark.d2.train_net",
        weights_option="MODEL.WEIGHTS ",
        cpu_options="--num-gpus 0, and MODEL.DEVICE cpu at the end",
        differences=[*_list_trainer_differences(request), *list_training_differences(request)],
    )
    return text + yaml.safe_dump(_make_values(request), sort_keys=False, default_flow_style=None, width=LINE_LENGTH)


def _list_obstacles(request: ConfigRequest) -> list[str]:
    """Return what training and evaluation need and Detectron2's mapper does not provide."""
    setting = request.setting
    supervision, rules = setting.recipe.traits.supervision, f"{request.split!r} under {setting.protocol.name!r}"
    obstacles = {
        f"{request.architecture!r} is scored with tags": supervision.includes_tags,
        f"{request.architecture!r} is trained with captions": supervision.includes_captions,
        f"{request.architecture!r} is trained with points": supervision.includes_points,
    }
    if setting.budget.iterations:
        obstacles[f"{rules} needs the mask of pixels to fill"] = setting.protocol.setting != "inductive"
        obstacles[f"{rules} has labels of more than 8 bits"] = request.train.is_wide
    return [text for text, applies in obstacles.items() if applies]


def _make_values(request: ConfigRequest) -> dict[str, Any]:
    own: dict[str, Any] = {"OVERRIDES": list(request.overrides)} if request.overrides else {}
    own |= {"PROTOCOL": request.protocol} if request.protocol else {}
    return {
        "VERSION": 2,
        "SEED": request.seed,
        "OUTPUT_DIR": request.output,
        "MODEL": {"META_ARCHITECTURE": request.architecture},
        "DATASETS": {"TRAIN": [request.train.name], "TEST": [request.test.name]},
        "DATALOADER": {"ASPECT_RATIO_GROUPING": False},
        "INPUT": {"FORMAT": "RGB"}
        | _make_train_input(request.setting.protocol)
        | _make_test_input(request.setting.protocol),
        "SOLVER": _make_solver(request),
    } | ({"CHIMERA": own} if own else {})


def _make_train_input(protocol: Protocol) -> dict[str, Any]:
    """Return the training values of INPUT; Detectron2 crops before it resizes, the benchmark resizes first."""
    train = protocol.train
    size: dict[str, Any] = {"RANDOM_FLIP": "horizontal" if train.flip else "none"}
    if train.resize is None:
        size |= {"MIN_SIZE_TRAIN": [0]}
        if train.crop:
            size |= {"CROP": {"ENABLED": True, "TYPE": "absolute", "SIZE": [train.crop, train.crop]}}
    elif train.crop:
        share = round(_compute_smallest_share(train.crop, train.resize), 4)
        size |= {"MIN_SIZE_TRAIN": [train.crop], "MAX_SIZE_TRAIN": train.crop}
        size |= {"CROP": {"ENABLED": True, "TYPE": "relative_range", "SIZE": [share, share]}}
    elif isinstance(train.resize, ShortSides):
        size |= {"MIN_SIZE_TRAIN": list(train.resize.sides), "MAX_SIZE_TRAIN": train.resize.longest or UNBOUNDED}
    else:
        ends = [round(factor * train.resize.short_side) for factor in (train.resize.low, train.resize.high)]
        size |= {"MIN_SIZE_TRAIN": ends, "MIN_SIZE_TRAIN_SAMPLING": "range"}
        size |= {"MAX_SIZE_TRAIN": round(train.resize.high * train.resize.long_side)}
    return size


def _compute_smallest_share(crop: int, resize: Resize) -> float:
    """Return the share of a side that a crop covers at the largest size of the image."""
    largest = max(resize.sides) if isinstance(resize, ShortSides) else resize.high * resize.short_side
    return min(1.0, crop / largest)


def _make_test_input(protocol: Protocol) -> dict[str, Any]:
    return {"MIN_SIZE_TEST": protocol.test.short_side, "MAX_SIZE_TEST": protocol.test.longest or UNBOUNDED}


def _make_solver(request: ConfigRequest) -> dict[str, Any]:
    budget = request.setting.budget
    warmup = max(0, min(request.warmup, budget.iterations - 1))  # Detectron2 divides by the other iterations
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
        "AMP": {"ENABLED": request.is_mixed},
        "CHECKPOINT_PERIOD": request.checkpoint_period,
    }


def _list_trainer_differences(request: ConfigRequest) -> Iterator[str]:
    """Yield the differences that are due to a `DefaultTrainer` and its mapper."""
    yield (
        "SOLVER has the values of AdamW, which benchmark.d2.train_net builds. Detectron2's own build_optimizer builds "
        "SGD from them and clips each gradient separately instead of the norm of all."
    )
    if request.warmup > 1:
        most = (request.warmup - 1) / request.warmup**2
        yield f"The learning rate is up to {most:.1%} of BASE_LR lower in the warm-up."
    yield from _list_image_differences(request.setting.protocol)


def _list_image_differences(protocol: Protocol) -> Iterator[str]:
    train = protocol.train
    if train.crop and train.resize is not None:
        least = _compute_smallest_share(train.crop, train.resize)
        yield (
            f"Training images are cropped before they are resized: {least:.0%} to 100% of each side, "
            f"fitted into {train.crop} x {train.crop} (the protocol resizes, then crops)."
        )
    if train.crop and train.largest_share < 1:
        yield "Crops that consist almost entirely of one class are not redrawn."
    if train.color != "none":
        yield f"Colors are not augmented (the protocol: {train.color!r})."
    if protocol.test.short_side and not protocol.antialias:
        yield "Downscaled images are antialiased."
