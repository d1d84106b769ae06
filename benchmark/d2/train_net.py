"""Detectron2's tools/train_net.py for configs of the suite: python -m benchmark.d2.train_net --config-file FILE.

Two things differ from a plain `DefaultTrainer`: the optimizer is AdamW with our groups and one norm for the gradients
of all parameters, as the numbers of our budgets were chosen for that; and pixels are counted by our counter.
"""

from __future__ import annotations

import math
from argparse import Namespace
from pathlib import Path
from typing import Any

import torch
from detectron2.checkpoint import DetectionCheckpointer
from detectron2.config import CfgNode, get_cfg
from detectron2.data import MetadataCatalog
from detectron2.engine import DefaultTrainer, default_argument_parser, default_setup, launch
from torch import nn

import benchmark.d2.register  # noqa: F401  # makes splits and methods known
from benchmark.core.overrides import parse_overrides
from benchmark.core.split import load_split
from benchmark.d2.configs.solver import adamw
from benchmark.d2.evaluator import CountsEvaluator
from benchmark.d2.models.architectures import add_chimera_config
from benchmark.planning.resolve import rules_for


class Trainer(DefaultTrainer):  # type: ignore[misc]  # it has no types
    """A `DefaultTrainer` with our optimizer and our counter."""

    @classmethod
    def build_optimizer(cls, cfg: CfgNode, model: nn.Module) -> torch.optim.Optimizer:
        """AdamW with the numbers of SOLVER. Raises ValueError where nothing of the model is trained."""
        clipping = cfg.SOLVER.CLIP_GRADIENTS
        return adamw(
            params={"model": model},
            lr=cfg.SOLVER.BASE_LR,
            weight_decay=cfg.SOLVER.WEIGHT_DECAY,
            clip_norm=clipping.CLIP_VALUE if clipping.ENABLED else math.inf,
        )

    @classmethod
    def build_evaluator(cls, cfg: CfgNode, dataset_name: str) -> CountsEvaluator:
        """Our counter, calibrated as the protocol says; it leaves counts.npz in OUTPUT_DIR/inference."""
        own, split = cfg.CHIMERA, load_split(MetadataCatalog.get(dataset_name).split)
        rules = rules_for(split, protocol=own.PROTOCOL, overrides=parse_overrides(own.OVERRIDES))
        folder = Path(cfg.OUTPUT_DIR) / "inference"
        return CountsEvaluator(dataset_name, gamma=rules.gamma, output_dir=str(folder))


def setup(args: Namespace) -> CfgNode:
    """The config of a call, frozen; loggers, seeds and OUTPUT_DIR are set up.

    Raises:
        ValueError: the warm-up leaves no iteration. Detectron2 would divide by zero after the last one.
    """
    cfg = get_cfg()
    add_chimera_config(cfg)
    cfg.merge_from_file(args.config_file)
    cfg.merge_from_list(args.opts)
    solver = cfg.SOLVER
    if solver.WARMUP_ITERS >= solver.MAX_ITER > 0:
        raise ValueError(
            f"SOLVER.WARMUP_ITERS={solver.WARMUP_ITERS} is not below SOLVER.MAX_ITER={solver.MAX_ITER}: give fewer"
        )
    cfg.freeze()
    default_setup(cfg, args)
    return cfg


def main(args: Namespace) -> dict[str, Any] | None:
    """Train and evaluate, or only evaluate MODEL.WEIGHTS, or with --resume the last checkpoint of OUTPUT_DIR."""
    cfg = setup(args)
    if not args.eval_only:
        trainer = Trainer(cfg)
        trainer.resume_or_load(resume=args.resume)
        results: dict[str, Any] | None = trainer.train()
        return results
    model = Trainer.build_model(cfg)
    DetectionCheckpointer(model, save_dir=cfg.OUTPUT_DIR).resume_or_load(cfg.MODEL.WEIGHTS, resume=args.resume)
    results = Trainer.test(cfg, model)
    return results


if __name__ == "__main__":
    args = default_argument_parser().parse_args()
    launch(main, args.num_gpus, args.num_machines, args.machine_rank, args.dist_url, args=(args,))
