"""LazyConfig files (Python) for Detectron2's tools/lazyconfig_train_net.py."""

from __future__ import annotations

import json
from pathlib import Path
from string import Template
from typing import Any

from benchmark.d2.configs.config_request import ConfigRequest, format_header, list_training_differences

TEMPLATE = Path(__file__).parent / "lazy_config.template"


def format_lazy_config(request: ConfigRequest) -> str:
    """Format a LazyConfig file."""
    budget = request.setting.budget
    values = {
        "seed": request.seed,
        "output": request.output,
        "iterations": budget.iterations,
        "is_mixed": request.is_mixed,
        "checkpoint_period": request.checkpoint_period,
        "architecture": request.architecture,
        "split": request.split,
        "protocol": request.protocol,
        "overrides": list(request.overrides),
        "train_name": request.train.name,
        "test_name": request.test.name,
        "batch_size": budget.batch_size,
        "gamma": request.setting.protocol.gamma,
        "learning_rate": budget.learning_rate,
        "weight_decay": budget.weight_decay,
        "clip_norm": budget.clip_norm,
    }
    literals = {name: _format_literal(value) for name, value in values.items()} | _format_schedule(request)
    header = format_header(
        request,
        program="python -P tools/lazyconfig_train_net.py",  # -P: that folder has a benchmark.py
        weights_option="train.init_checkpoint=",
        cpu_options="--num-gpus 0, and train.device=cpu at the end",
        differences=list(list_training_differences(request)),
    )
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(literals, header=header)


def _format_schedule(request: ConfigRequest) -> dict[str, str]:
    """Format fvcore schedulers with the learning rates of `benchmark.engine.optimizer`, without a constant last phase.

    A phase without iterations is left out, as fvcore would divide by its length.
    """
    iterations, warmup = request.setting.budget.iterations, request.warmup
    rise = f"L(schedule.LinearParamScheduler)(start_value=1 / {warmup}, end_value={warmup + 1} / {warmup})"
    fall = "L(schedule.CosineParamScheduler)(start_value=1, end_value=0)"
    phases = [(rise, warmup), (fall, iterations - warmup)]
    phases = [(scheduler, length) for scheduler, length in phases if length] or [(fall, 1)]
    total = sum(length for _, length in phases)
    return {
        "schedulers": "\n".join(f"        {scheduler}," for scheduler, _ in phases),
        "lengths": ", ".join(f"{length} / {total}" for _, length in phases),
        "scaling": ", ".join('"rescaled"' for _ in phases),
    }


def _format_literal(value: Any) -> str:
    """Format a Python literal with double quotes."""
    is_text = isinstance(value, str | list)
    return json.dumps(value, ensure_ascii=False) if is_text else repr(value)
