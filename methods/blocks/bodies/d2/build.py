"""From a config file of Detectron2's to a backbone and a semantic head without its classifier.

Importing this loads Detectron2: import it where a body is built.
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

from methods.blocks.bodies.d2.body import D2BodyConfig
from methods.blocks.bodies.d2.files import find_config, ready_model_zoo

WITH_SEMANTIC_HEAD = ("SemanticSegmentor", "PanopticFPN")
HEADS = {"fpn": "SemSegFPNHead", "deeplab": "DeepLabV3PlusHead"}
COARSEST, STRIDE = 32, 8

Part = Any
"""A module of Detectron2's; those carry no types."""

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
"""What reading and building raise where a config is of another kind: it may hold, or be, any program."""


@dataclass(frozen=True)
class Source:
    """What a config file gives.

    Attributes:
        backbone: built, its weights random.
        head: makes the config's own semantic head; None where it has none.
        settings: yacs node from which another one is made.
        mean, std: of the pixels, 0-255, in the order that the backbone expects.
        order: of its channels.
        weights: file or address; "" where the config names none.
    """

    backbone: Part
    head: Callable[[], Part] | None
    settings: Any
    mean: tuple[float, ...]
    std: tuple[float, ...]
    order: str
    weights: str


def read_source(name: str) -> Source:
    """Read a config and build its backbone.

    Raises:
        KeyError: there is no such config.
        ValueError: nothing can be built from it.
    """
    file = find_config(name)
    try:
        with _known_warnings_aside():
            source = _from_lazy(file) if file.suffix == ".py" else _from_yaml(file)
    except _BROKEN as error:
        raise ValueError(
            f"Detectron2 config {name!r} gives no body ({_line(error)}): it needs a backbone that Detectron2 and its "
            "DeepLab project can build"
        ) from error
    if source.order not in ("RGB", "BGR"):
        raise ValueError(f"Detectron2 config {name!r} wants pixels as {source.order}; a body gets RGB or BGR")
    make_local(source.backbone)
    return source


def _from_yaml(file: Path) -> Source:
    settings = _settings()
    settings.merge_from_file(str(file))
    settings.INPUT.CROP.ENABLED = False  # or DeepLab's pyramid would pool windows of this size, not the whole image
    backbone = build_backbone(settings)
    has_head = settings.MODEL.META_ARCHITECTURE in WITH_SEMANTIC_HEAD
    return Source(
        backbone=backbone,
        head=partial(build_sem_seg_head, settings, backbone.output_shape()) if has_head else None,
        settings=settings,
        mean=tuple(map(float, settings.MODEL.PIXEL_MEAN)),
        std=tuple(map(float, settings.MODEL.PIXEL_STD)),
        order=settings.INPUT.FORMAT,
        weights=settings.MODEL.WEIGHTS,
    )


def _from_lazy(file: Path) -> Source:
    ready_model_zoo()
    config = LazyConfig.load(str(file))
    model = config.model
    return Source(
        backbone=instantiate(model.backbone),
        head=partial(instantiate, model.sem_seg_head) if "sem_seg_head" in model else None,
        settings=_settings(),
        mean=tuple(map(float, model.pixel_mean)),
        std=tuple(map(float, model.pixel_std)),
        order=_at(config, "model.input_format") or _at(config, "dataloader.train.mapper.image_format") or "BGR",
        weights=_at(config, "train.init_checkpoint") or "",
    )


def _at(config: Any, key: str) -> Any:
    """The value at a dotted key; None where a part on the way is missing."""
    for name in key.split("."):
        config = None if config is None else config.get(name)
    return config


def _settings() -> Any:
    settings = get_cfg()
    add_deeplab_config(settings)
    return settings


def build_head(source: Source, config: D2BodyConfig) -> Part:
    """The semantic head, its classifier still in place.

    Raises:
        ValueError: what is asked for does not go with what the config file gives.
    """
    if config.decoder or source.head is None:
        return make_local(build_sem_seg_head(*_on_features(source, config)))
    if config.stride is not None or config.channels is not None:
        raise ValueError(
            f"the semantic head of Detectron2 config {config.config!r} has its own stride and channels: leave "
            "body.stride and body.channels out, or set body.decoder to fpn or deeplab"
        )
    head = source.head()
    if not isinstance(head, SemSegFPNHead | DeepLabV3PlusHead | DeepLabV3Head):
        raise ValueError(
            f"Detectron2 config {config.config!r} has the semantic head {type(head).__name__}, whose features are not "
            "known: set body.decoder to fpn or deeplab"
        )
    return make_local(head)


def _on_features(source: Source, config: D2BodyConfig) -> tuple[Any, Any]:
    """The settings of a head on a backbone's features, and their shapes by name."""
    shapes = source.backbone.output_shape()
    strides = {name: shape.stride for name, shape in sorted(shapes.items(), key=lambda item: item[1].stride)}
    stride = config.stride or STRIDE
    features = [name for name in strides if stride <= strides[name] <= COARSEST]
    if stride not in strides.values():
        given = ", ".join(map(str, strides.values()))
        raise ValueError(
            f"Detectron2 config {config.config!r} has features every {given} pixels: body.stride is {stride}"
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


def make_local(module: Part) -> Part:
    """Replace batch norm that is synchronised over processes; gives the module back.

    How many processes share a run does not change it: batch norm sees a micro_batch, wherever the others are computed.
    """
    for parent in list(module.modules()):
        for name, norm in parent.named_children():
            if isinstance(norm, nn.SyncBatchNorm | NaiveSyncBatchNorm):
                local = nn.BatchNorm2d(norm.num_features, eps=norm.eps, momentum=norm.momentum)
                local.load_state_dict(norm.state_dict())
                setattr(parent, name, local)
    return module


@contextmanager
def _known_warnings_aside() -> Iterator[None]:
    """Without what Detectron2's backbones draw from newer torch and timm, and nobody here can change."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Importing from timm.models.layers", category=FutureWarning)
        warnings.filterwarnings("ignore", message="torch.meshgrid", category=UserWarning)
        yield


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
