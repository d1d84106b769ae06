"""The two pre-trainings from beginning to end: train, save, measure, write the card."""

from __future__ import annotations

import hashlib
import platform
import time
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import numpy as np
import open_clip
import torch

from benchmark.core.split import load_split
from benchmark.data.toybox.scene import CLASSES, WORLD_VERSION, portrait, scene
from methods.blocks.bodies.body import Body
from methods.blocks.clip.config import ASSETS, TOY_MODEL, ClipConfig, load_clip
from methods.blocks.toy import TOY_BODY_CONFIG
from methods.pretrain.measure import SPLIT, measure_clip
from methods.pretrain.model_card import write_body_card, write_clip_card
from methods.pretrain.toy_body import BodyBudget, Namer, portrait_accuracy, train_toy_body
from methods.pretrain.toy_clip import ClipBudget, train_toy_clip
from methods.pretrain.weights import read_history, save_weights

Report = Callable[[int, int, float], None]
"""Step, steps, loss."""

CLIP_FILE, CLIP_CARD = "toy_clip.safetensors", "toy_clip.md"
BODY_FILE, BODY_CARD = "toy_body.safetensors", "toy_body.md"


def pretrain_toy_clip(out: Path, *, budget: ClipBudget, workers: int, report: Report) -> None:
    """Train the toy CLIP and leave its weights and its card in `out`."""
    open_clip.add_model_config(ASSETS / f"{TOY_MODEL}.json")
    torch.manual_seed(budget.seed)
    model = open_clip.create_model(TOY_MODEL)
    started = time.monotonic()
    train_toy_clip(model, budget=budget, workers=workers, report=lambda step, loss: report(step, budget.steps, loss))
    history = _history(asdict(budget), command="chimera-bench pretrain toy-clip", seconds=time.monotonic() - started)
    save_weights(out / CLIP_FILE, model.state_dict(), history=history)
    card_of_toy_clip(out)


def card_of_toy_clip(out: Path) -> None:
    """Measure the weights in `out` and write their card anew."""
    weights = out / CLIP_FILE
    figures = measure_clip(load_clip(ClipConfig(model=TOY_MODEL, weights=str(weights))))
    write_clip_card(out / CLIP_CARD, history=_with_file(weights), figures=figures, split=load_split(SPLIT))


def pretrain_toy_body(out: Path, *, budget: BodyBudget, workers: int, report: Report) -> None:
    """Pre-train the toy body and leave its weights and its card in `out`."""
    classes = always_seen()
    torch.manual_seed(budget.seed)
    body = Body(TOY_BODY_CONFIG.model_copy(update={"weights": None}))
    namer = Namer(body, channels=body.channels, classes=len(classes))
    started = time.monotonic()
    train_toy_body(
        namer,
        classes=classes,
        budget=budget,
        workers=workers,
        report=lambda step, loss: report(step, budget.steps, loss),
    )
    history = _history(asdict(budget), command="chimera-bench pretrain toy-body", seconds=time.monotonic() - started)
    accuracy = portrait_accuracy(namer, classes=classes, count=1_000, workers=workers)
    save_weights(out / BODY_FILE, body.state_dict(), history=history)
    write_body_card(out / BODY_CARD, history=_with_file(out / BODY_FILE), accuracy=accuracy, classes=classes)


def always_seen() -> tuple[str, ...]:
    """Classes that are seen in the toybox split of the tables and in the one for tuning, in label order."""
    splits = [load_split("toybox"), load_split("toybox_tune")]
    return tuple(name for name in CLASSES if all(name in split.seen for split in splits))


def world_digest() -> str:
    """SHA-256 over the first pictures of the families that pre-training draws from: a change of the world shows."""
    digest = hashlib.sha256(str(WORLD_VERSION).encode())
    for draw, part in ((scene, "clip"), (portrait, "clip"), (portrait, "body")):
        for index in range(8):
            view = draw(part, index)
            digest.update(np.ascontiguousarray(view.image).tobytes() + view.labels.tobytes())
    return digest.hexdigest()


def _history(budget: dict[str, int | float], *, command: str, seconds: float) -> dict[str, str]:
    return {
        **{name: str(value) for name, value in budget.items()},
        "command": command,
        "duration (s)": f"{seconds:.0f}",
        "data hash": world_digest(),
        "torch": torch.__version__,
        "open_clip": version("open_clip_torch"),
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads",
    }


def _with_file(weights: Path) -> dict[str, str]:
    """The history in a weight file, with its own hash and size."""
    content = weights.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return read_history(weights) | {"file hash": digest, "file size (MB)": f"{len(content) / 1e6:.2f}"}
