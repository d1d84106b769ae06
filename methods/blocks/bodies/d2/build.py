"""Builds a backbone and a semantic head from a config file of Detectron2.

This module imports Detectron2, so import it only in functions that build a body.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from detectron2.config import LazyConfig, get_cfg, instantiate
from detectron2.layers import NaiveSyncBatchNorm
from detectron2.modeling import build_backbone, build_sem_seg_head
from detectron2.modeling.meta_arch.semantic_seg import SemSegFPNHead
from detectron2.projects.deeplab import add_deeplab_config
from detectron2.projects.deeplab.semantic_seg import DeepLabV3Head, DeepLabV3PlusHead
from torch import nn
from yaml import YAMLError

from benchmark.utils.input_files import record_input
from methods.blocks.bodies.d2.config import D2BodyConfig
from methods.blocks.bodies.d2.files import find_config, import_model_zoo

ARCHITECTURES_WITH_HEAD = ("SemanticSegmentor", "PanopticFPN")
HEADS = {"fpn": "SemSegFPNHead", "deeplab": "DeepLabV3PlusHead"}
COARSEST_STRIDE, DEFAULT_STRIDE = 32, 8

Module = Any
"""A module of Detectron2, which has no type annotations."""

_BROKEN = (
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    YAMLError,
)
"""Errors of reading and building an unsuitable config: a config may contain, or be, any program."""


@dataclass(frozen=True)
class Source:
    """Parts of a model that a config file describes.

    Attributes:
        backbone: Backbone with random weights.
        head: Builder of the config's own semantic head; None if the config has none.
        settings: yacs node from which another head can be built.
        mean: Pixel means in 0-255, in the channel order of the backbone.
        std: Pixel standard deviations in 0-255, in the same order.
        order: Channel order, "RGB" or "BGR".
        weights: File or URL; "" if the config names none.
    """

    backbone: Module
    head: Callable[[], Module] | None
    settings: Any
    mean: tuple[float, ...]
    std: tuple[float, ...]
    order: str
    weights: str


def read_source(name: str) -> Source:
    """Read a config and build its backbone.

    Raises:
        KeyError: The config does not exist.
        ValueError: No body can be built from the config.
    """
    file = find_config(name)
    record_input(file)
    try:
        with _ignore_known_warnings():
            source = _read_lazy(file) if file.suffix == ".py" else _read_yaml(file)
    except _BROKEN as error:
        raise ValueError(
            f"Detectron2 config {name!r} describes no body ({_summarize(error)}): expected a backbone that Detectron2 "
            "and its DeepLab project can build"
        ) from error
    if source.order not in ("RGB", "BGR"):
        raise ValueError(f"Detectron2 config {name!r} expects {source.order} pixels; supported are RGB and BGR")
    use_local_batch_norm(source.backbone)
    return source


def _read_yaml(file: Path) -> Source:
    settings = _make_settings()
    settings.merge_from_file(str(file))
    settings.INPUT.CROP.ENABLED = False  # otherwise DeepLab's pyramid pools windows of this size, not the whole image
    backbone = build_backbone(settings)
    has_head = settings.MODEL.META_ARCHITECTURE in ARCHITECTURES_WITH_HEAD
    return Source(
        backbone=backbone,
        head=partial(build_sem_seg_head, settings, backbone.output_shape()) if has_head else None,
        settings=settings,
        mean=tuple(map(float, settings.MODEL.PIXEL_MEAN)),
        std=tuple(map(float, settings.MODEL.PIXEL_STD)),
        order=settings.INPUT.FORMAT,
        weights=settings.MODEL.WEIGHTS,
    )


def _read_lazy(file: Path) -> Source:
    import_model_zoo()
    config = LazyConfig.load(str(file))
    model = config.model
    return Source(
        backbone=instantiate(model.backbone),
        head=partial(instantiate, model.sem_seg_head) if "sem_seg_head" in model else None,
        settings=_make_settings(),
        mean=tuple(map(float, model.pixel_mean)),
        std=tuple(map(float, model.pixel_std)),
        order=_get(config, "model.input_format") or _get(config, "dataloader.train.mapper.image_format") or "BGR",
        weights=_get(config, "train.init_checkpoint") or "",
    )


def _get(config: Any, key: str) -> Any:
    """Return the value at a dotted key, or None if any part of the key is missing."""
    for name in key.split("."):
        config = None if config is None else config.get(name)
    return config


def _make_settings() -> Any:
    settings = get_cfg()
    add_deeplab_config(settings)
    return settings


def build_head(source: Source, config: D2BodyConfig) -> Module:
    """Build the semantic head, including its classifier.

    Args:
        source: Backbone and settings of the config file.
        config: Decoder, stride and width of the body.

    Raises:
        ValueError: The requested decoder, stride or width does not fit the config file.
    """
    if config.decoder or source.head is None:
        return use_local_batch_norm(build_sem_seg_head(*_configure_head(source, config)))
    if config.stride is not None or config.channels is not None:
        raise ValueError(
            f"the semantic head of Detectron2 config {config.config!r} has its own stride and channels: remove "
            "body.stride and body.channels, or set body.decoder to fpn or deeplab"
        )
    head = source.head()
    if not isinstance(head, SemSegFPNHead | DeepLabV3PlusHead | DeepLabV3Head):
        raise ValueError(
            f"Detectron2 config {config.config!r} has the unsupported semantic head {type(head).__name__}: set "
            "body.decoder to fpn or deeplab"
        )
    return use_local_batch_norm(head)


def _configure_head(source: Source, config: D2BodyConfig) -> tuple[Any, Any]:
    """Return the settings of a head on the backbone's features, and the shapes of these features by name."""
    shapes = source.backbone.output_shape()
    strides = {name: shape.stride for name, shape in sorted(shapes.items(), key=lambda item: item[1].stride)}
    stride = config.stride or DEFAULT_STRIDE
    features = [name for name in strides if stride <= strides[name] <= COARSEST_STRIDE]
    if stride not in strides.values():
        available = ", ".join(map(str, strides.values()))
        raise ValueError(
            f"Detectron2 config {config.config!r} has features with strides {available}: body.stride is {stride}"
        )
    settings = source.settings.clone()
    head = settings.MODEL.SEM_SEG_HEAD
    if config.decoder == "deeplab":
        features = list(dict.fromkeys([features[0], features[-1]]))
        head.PROJECT_CHANNELS = [48] * (len(features) - 1)
        head.NORM = "BN"  # as in its paper; Detectron2's default, 32 groups, does not divide 48 channels
    if config.channels is not None:
        head.CONVS_DIM = head.ASPP_CHANNELS = config.channels
    head.NAME, head.IN_FEATURES, head.COMMON_STRIDE = HEADS[config.decoder or "fpn"], features, stride
    return settings, shapes


def use_local_batch_norm(module: Module) -> Module:
    """Replace batch norm that is synchronized over processes, in place, and return the module.

    The number of processes of a run must not change its result, so batch norm sees exactly one micro-batch.
    """
    for parent in list(module.modules()):
        for name, norm in parent.named_children():
            if isinstance(norm, nn.SyncBatchNorm | NaiveSyncBatchNorm):
                local = nn.BatchNorm2d(norm.num_features, eps=norm.eps, momentum=norm.momentum)
                local.load_state_dict(norm.state_dict())
                setattr(parent, name, local)
    return module


@contextmanager
def _ignore_known_warnings() -> Iterator[None]:
    """Ignore warnings that Detectron2's backbones cause in newer versions of torch and timm."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Importing from timm.models.layers", category=FutureWarning)
        warnings.filterwarnings("ignore", message="torch.meshgrid", category=UserWarning)
        yield


def _summarize(error: BaseException) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
