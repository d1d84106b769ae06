"""A LazyConfig, a Python file, for Detectron2's tools/lazyconfig_train_net.py."""

from __future__ import annotations

import json
from pathlib import Path
from string import Template
from typing import Any

from benchmark.d2.configs.configs import Choice, header, remarks_on_training

TEMPLATE = Path(__file__).parent / "lazy_config.template"


def lazy_text(choice: Choice) -> str:
    """The content of the file."""
    budget = choice.setting.budget
    values = {
        "seed": choice.seed,
        "output": choice.output,
        "iterations": budget.iterations,
        "is_mixed": choice.is_mixed,
        "checkpoint_period": choice.checkpoint_period,
        "architecture": choice.architecture,
        "split": choice.split,
        "protocol": choice.protocol,
        "overrides": list(choice.overrides),
        "train_name": choice.train.name,
        "test_name": choice.test.name,
        "batch_size": budget.batch_size,
        "gamma": choice.setting.protocol.gamma,
        "learning_rate": budget.learning_rate,
        "weight_decay": budget.weight_decay,
        "clip_norm": budget.clip_norm,
    }
    literals = {name: _literal(value) for name, value in values.items()} | _schedule(choice)
    top = header(
        choice,
        call="python -P tools/lazyconfig_train_net.py",  # -P, as a benchmark.py lies beside that program
        weights="train.init_checkpoint=",
        without_gpu="--num-gpus 0, and train.device=cpu at the end",
        remarks=list(remarks_on_training(choice)),
    )
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(literals, header=top)


def _schedule(choice: Choice) -> dict[str, str]:
    """The same rates as `benchmark.engine.optimizer.compute_learning_rate` gives, in parts of fvcore that never end in a step.

    A part without iterations is left out, as fvcore would divide by its length.
    """
    iterations, warmup = choice.setting.budget.iterations, choice.warmup
    rise = f"L(schedule.LinearParamScheduler)(start_value=1 / {warmup}, end_value={warmup + 1} / {warmup})"
    fall = "L(schedule.CosineParamScheduler)(start_value=1, end_value=0)"
    parts = [(rise, warmup), (fall, iterations - warmup)]
    kept = [(part, length) for part, length in parts if length] or [(fall, 1)]
    total = sum(length for _, length in kept)
    return {
        "schedulers": "\n".join(f"        {part}," for part, _ in kept),
        "lengths": ", ".join(f"{length} / {total}" for _, length in kept),
        "scaling": ", ".join('"rescaled"' for _ in kept),
    }


def _literal(value: Any) -> str:
    """Python for a value, texts in double quotes."""
    is_text = isinstance(value, str | list)
    return json.dumps(value, ensure_ascii=False) if is_text else repr(value)
