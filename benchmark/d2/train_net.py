"""Training program for yacs configs of the benchmark: `python -m benchmark.d2.train_net --config-file FILE`.

It is Detectron2's tools/train_net.py with two changes. The optimizer is AdamW with the benchmark's parameter groups and
clips the norm of all gradients together, for which the learning rates of the budgets were chosen. The evaluator is
`CountsEvaluator`.
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

import benchmark.d2.register  # noqa: F401  # registers splits and methods
from benchmark.core.overrides import parse_overrides
from benchmark.core.split import load_split
from benchmark.d2.configs.solver import build_adamw
from benchmark.d2.evaluator import CountsEvaluator
from benchmark.d2.models.architectures import add_chimera_config
from benchmark.planning.method_setup import load_protocol_of


class BenchmarkTrainer(DefaultTrainer):  # type: ignore[misc]  # it has no types
    """`DefaultTrainer` with the optimizer and the evaluator of the benchmark."""

    @classmethod
    def build_optimizer(cls, cfg: CfgNode, model: nn.Module) -> torch.optim.Optimizer:
        """Build AdamW from the values of SOLVER.

        Raises:
            ValueError: The model has no trainable parameter.
        """
        clipping = cfg.SOLVER.CLIP_GRADIENTS
        return build_adamw(
            params={"model": model},
            lr=cfg.SOLVER.BASE_LR,
            weight_decay=cfg.SOLVER.WEIGHT_DECAY,
            clip_norm=clipping.CLIP_VALUE if clipping.ENABLED else math.inf,
        )

    @classmethod
    def build_evaluator(cls, cfg: CfgNode, dataset_name: str) -> CountsEvaluator:
        """Build an evaluator with the gamma of the protocol that writes counts.npz to OUTPUT_DIR/inference."""
        options, split = cfg.CHIMERA, load_split(MetadataCatalog.get(dataset_name).split)
        rules = load_protocol_of(split, protocol=options.PROTOCOL, overrides=parse_overrides(options.OVERRIDES))
        folder = Path(cfg.OUTPUT_DIR) / "inference"
        return CountsEvaluator(dataset_name, gamma=rules.gamma, output_dir=str(folder))


def setup(args: Namespace) -> CfgNode:
    """Return the frozen config and set up loggers, seeds and OUTPUT_DIR.

    Raises:
        ValueError: The warm-up is as long as the training; Detectron2 would divide by zero after the last iteration.
    """
    cfg = get_cfg()
    add_chimera_config(cfg)
    cfg.merge_from_file(args.config_file)
    cfg.merge_from_list(args.opts)
    solver = cfg.SOLVER
    if solver.WARMUP_ITERS >= solver.MAX_ITER > 0:
        raise ValueError(
            f"SOLVER.WARMUP_ITERS={solver.WARMUP_ITERS} is not below SOLVER.MAX_ITER={solver.MAX_ITER}: reduce it"
        )
    cfg.freeze()
    default_setup(cfg, args)
    return cfg


def main(args: Namespace) -> dict[str, Any] | None:
    """Train and evaluate; with --eval-only evaluate MODEL.WEIGHTS or, with --resume, the last checkpoint."""
    cfg = setup(args)
    if not args.eval_only:
        trainer = BenchmarkTrainer(cfg)
        trainer.resume_or_load(resume=args.resume)
        results: dict[str, Any] | None = trainer.train()
        return results
    model = BenchmarkTrainer.build_model(cfg)
    DetectionCheckpointer(model, save_dir=cfg.OUTPUT_DIR).resume_or_load(cfg.MODEL.WEIGHTS, resume=args.resume)
    results = BenchmarkTrainer.test(cfg, model)
    return results


if __name__ == "__main__":
    args = default_argument_parser().parse_args()
    launch(main, args.num_gpus, args.num_machines, args.machine_rank, args.dist_url, args=(args,))
