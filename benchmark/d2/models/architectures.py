"""Methods as meta-architectures: for `build_model` of a config with their name, and for LazyConfigs to call."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from detectron2.config import CfgNode
from detectron2.data import MetadataCatalog
from detectron2.modeling import META_ARCH_REGISTRY

from benchmark.core.overrides import Overrides, parse_overrides
from benchmark.d2.models.contract import Format, MetaArchitecture, Occasion
from benchmark.planning.registry import describe, method_names
from benchmark.planning.resolve import settle

_log = logging.getLogger(__name__)


def build(
    method: str,
    *,
    split: str,
    seed: int = 0,
    overrides: Overrides = (),
    protocol: str = "",
    image_format: Format = "RGB",
    iterations: int | None = None,
    device: str = "auto",
) -> MetaArchitecture:
    """A method for Detectron2's loops.

    Args:
        method: "name", "name/variant", "path/file.py" or "path/file.py/variant"; without a variant, the first.
        split: name, or path of a YAML file.
        seed: of every random draw, initialisation included.
        overrides: as `--set` of a run takes them: "key=value" each, or dotted key to value.
        protocol: name, or path of a YAML file; the split's own where empty.
        image_format: of the pictures it will be given, "RGB" or "BGR".
        iterations: of the whole training; as many as the suite would give it where None.
        device: where it goes; "auto" is the first CUDA device where there is one, else the CPU.

    Raises:
        KeyError: an unknown method, variant, split, protocol or key; names the nearest.
        ValueError: an impossible value.
    """
    setting = settle(method, split=split, protocol=protocol, overrides=parse_overrides(overrides))
    iterations = setting.budget.iterations if iterations is None else iterations
    occasion = Occasion(setting, seed=seed, iterations=iterations, image_format=image_format)
    place = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    return MetaArchitecture(setting.build(seed).to(place), occasion)


def add_chimera_config(cfg: CfgNode) -> None:
    """Give a config the node CHIMERA: OVERRIDES, a list of "key=value", and PROTOCOL; see `build`."""
    cfg.CHIMERA = CfgNode({"OVERRIDES": [], "PROTOCOL": ""})


def register_method(name: str) -> None:
    """Enter a method into Detectron2's registry: its variants as "name/variant", the first as "name" too.

    Raises:
        KeyError, ValueError: see `benchmark.planning.registry.describe`.
    """
    for label in ("", *describe(name).variants):
        META_ARCH_REGISTRY.register(_factory(f"{name}/{label}" if label else name))


def register_methods() -> None:
    """Enter every method that has a name. One that is broken is logged, and keeps no other from being entered."""
    for name in method_names():
        try:
            register_method(name)
        except ValueError as error:
            _log.warning("%s is not in Detectron2's registry: %s", name, error)


def _factory(method: str) -> Callable[[CfgNode], MetaArchitecture]:
    """What Detectron2 calls with a config to get a model."""

    def make(cfg: CfgNode) -> MetaArchitecture:
        own = cfg.get("CHIMERA", {})
        return build(
            method,
            split=_split_of(cfg),
            seed=max(0, cfg.SEED),
            overrides=own.get("OVERRIDES", ()),
            protocol=own.get("PROTOCOL", ""),
            image_format=cfg.INPUT.FORMAT,
            iterations=cfg.SOLVER.MAX_ITER,
            device=cfg.MODEL.DEVICE,
        )

    make.__name__ = method
    return make


def _split_of(cfg: CfgNode) -> str:
    names = [*cfg.DATASETS.TRAIN, *cfg.DATASETS.TEST]
    split: str | None = MetadataCatalog.get(names[0]).get("split") if names else None
    if split is None:
        raise ValueError(
            f"DATASETS.TRAIN and DATASETS.TEST are {names}: a method is built for a split, so expected its parts, such "
            "as chimera_toybox_train and chimera_toybox_test"
        )
    return split
