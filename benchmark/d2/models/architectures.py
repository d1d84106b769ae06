"""Registration of methods as meta-architectures, for `build_model` and for LazyConfigs."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from detectron2.config import CfgNode
from detectron2.data import MetadataCatalog
from detectron2.modeling import META_ARCH_REGISTRY

from benchmark.core.overrides import Overrides, parse_overrides
from benchmark.d2.models.contract import Format, MetaArchitecture, ModelSetup
from benchmark.planning.method_setup import resolve_method
from benchmark.planning.registry import describe_method, list_methods

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
    """Build a method for Detectron2's loops.

    Args:
        method: "name", "name/variant", "path/file.py" or "path/file.py/variant"; the first variant if none is given.
        split: Name of the split or path of a YAML file.
        seed: Seed of every random draw, including initialization.
        overrides: "key=value" overrides, as for `--set` of a run, or values by dotted key.
        protocol: Name of the protocol or path of a YAML file; empty for the split's own protocol.
        image_format: Channel order of the input images, "RGB" or "BGR".
        iterations: Iterations of the whole training; None for those of the benchmark's budget.
        device: Device of the model; "auto" is the first CUDA device, or the CPU if there is none.

    Raises:
        KeyError: The method, variant, split, protocol or key is unknown; the message suggests the nearest name.
        ValueError: A value is invalid.
    """
    setting = resolve_method(method, split=split, protocol=protocol, overrides=parse_overrides(overrides))
    iterations = setting.budget.iterations if iterations is None else iterations
    setup = ModelSetup(setting, seed=seed, iterations=iterations, image_format=image_format)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return MetaArchitecture(setting.build(seed).to(device), setup)


def add_chimera_config(cfg: CfgNode) -> None:
    """Add the node CHIMERA to a config, with OVERRIDES (a list of "key=value") and PROTOCOL; see `build`."""
    cfg.CHIMERA = CfgNode({"OVERRIDES": [], "PROTOCOL": ""})


def register_method(name: str) -> None:
    """Register a method in Detectron2: each variant as "name/variant", and the first also as "name".

    Raises:
        KeyError: The method is unknown.
        ValueError: The file of the method is invalid.
    """
    for label in ("", *describe_method(name).variants):
        META_ARCH_REGISTRY.register(_make_factory(f"{name}/{label}" if label else name))


def register_methods() -> None:
    """Register all methods that have a name; broken ones are logged and skipped."""
    for name in list_methods():
        try:
            register_method(name)
        except ValueError as error:
            _log.warning("%s is not registered in Detectron2: %s", name, error)


def _make_factory(method: str) -> Callable[[CfgNode], MetaArchitecture]:
    """Return the function that Detectron2 calls with a config to build a model."""

    def build_from_config(cfg: CfgNode) -> MetaArchitecture:
        options = cfg.get("CHIMERA", {})
        return build(
            method,
            split=_find_split(cfg),
            seed=max(0, cfg.SEED),
            overrides=options.get("OVERRIDES", ()),
            protocol=options.get("PROTOCOL", ""),
            image_format=cfg.INPUT.FORMAT,
            iterations=cfg.SOLVER.MAX_ITER,
            device=cfg.MODEL.DEVICE,
        )

    build_from_config.__name__ = method
    return build_from_config


def _find_split(cfg: CfgNode) -> str:
    names = [*cfg.DATASETS.TRAIN, *cfg.DATASETS.TEST]
    split: str | None = MetadataCatalog.get(names[0]).get("split") if names else None
    if split is None:
        raise ValueError(
            f"DATASETS.TRAIN and DATASETS.TEST are {names}: a method is built for a split, so expected its subsets, "
            "such as chimera_toybox_train and chimera_toybox_test"
        )
    return split
