"""Pre-training of the toy CLIP and the toy body: train, save, evaluate, write the model card."""

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

from benchmark.data.toybox.scene import TOYBOX_VERSION, draw_portrait, draw_scene
from methods.blocks.bodies.smp_body import SmpBody
from methods.blocks.clip.assets import ASSETS, TOY_MODEL
from methods.blocks.clip.config import ClipConfig
from methods.blocks.clip.loading import load_clip
from methods.blocks.toy import TOY_BODY_CONFIG
from methods.pretrain.evaluation import evaluate_clip
from methods.pretrain.forms import draw_form
from methods.pretrain.model_card import write_body_card, write_clip_card
from methods.pretrain.toy_body import BodyBudget, FormClassifier, measure_form_accuracy, train_toy_body
from methods.pretrain.toy_clip import ClipBudget, train_toy_clip
from methods.pretrain.weights import read_history, save_weights

Report = Callable[[int, int, float], None]
"""Called after each step with the step, the number of steps and the loss."""

CLIP_FILE, CLIP_CARD = "toy_clip.safetensors", "toy_clip.md"
BODY_FILE, BODY_CARD = "toy_body.safetensors", "toy_body.md"


def pretrain_toy_clip(out: Path, *, budget: ClipBudget, workers: int, report: Report) -> None:
    """Train the toy CLIP and write its weights and its model card.

    Args:
        out: Existing folder for the files.
        budget: Seed, data and length of the training.
        workers: Number of processes that draw images.
        report: Called after each step.
    """
    open_clip.add_model_config(ASSETS / f"{TOY_MODEL}.json")
    torch.manual_seed(budget.seed)
    model = open_clip.create_model(TOY_MODEL)
    started = time.monotonic()
    train_toy_clip(model, budget=budget, workers=workers, report=lambda step, loss: report(step, budget.steps, loss))
    history = _describe_training(
        asdict(budget),
        command="chimera-bench pretrain toy-clip",
        seconds=time.monotonic() - started,
        data_hash=hash_clip_images(),
    )
    save_weights(out / CLIP_FILE, model.state_dict(), history=history)
    update_clip_card(out)


def update_clip_card(out: Path) -> None:
    """Evaluate the toy CLIP in a folder and write its model card."""
    weights = out / CLIP_FILE
    metrics = evaluate_clip(load_clip(ClipConfig(model=TOY_MODEL, weights=str(weights))))
    write_clip_card(out / CLIP_CARD, history=read_history_with_file(weights), metrics=metrics)


def pretrain_toy_body(out: Path, *, budget: BodyBudget, workers: int, report: Report) -> None:
    """Pre-train the toy body and write its weights and its model card.

    Args:
        out: Existing folder for the files.
        budget: Seed, data and length of the training.
        workers: Number of processes that draw images.
        report: Called after each step.
    """
    torch.manual_seed(budget.seed)
    body = SmpBody(TOY_BODY_CONFIG.model_copy(update={"weights": None}))
    classifier = FormClassifier(body, channels=body.channels)
    started = time.monotonic()
    train_toy_body(
        classifier,
        budget=budget,
        workers=workers,
        report=lambda step, loss: report(step, budget.steps, loss),
    )
    history = _describe_training(
        asdict(budget),
        command="chimera-bench pretrain toy-body",
        seconds=time.monotonic() - started,
        data_hash=hash_body_images(),
    )
    accuracy = measure_form_accuracy(classifier, count=2_000, workers=workers)
    save_weights(out / BODY_FILE, body.state_dict(), history=history)
    write_body_card(out / BODY_CARD, history=read_history_with_file(out / BODY_FILE), accuracy=accuracy)


def hash_clip_images() -> str:
    """Return the SHA-256 of the first images that the toy CLIP is trained on, which changes when toybox does."""
    digest = hashlib.sha256(str(TOYBOX_VERSION).encode())
    for index in range(8):
        for view in (draw_scene("clip", index), draw_portrait("clip", index)):
            digest.update(np.ascontiguousarray(view.image).tobytes() + view.labels.tobytes())
    return digest.hexdigest()


def hash_body_images() -> str:
    """Return the SHA-256 of the first images that the pre-training of the toy body draws."""
    digest = hashlib.sha256()
    for index in range(64):
        digest.update(np.ascontiguousarray(draw_form("body", index)[0]).tobytes())
    return digest.hexdigest()


def _describe_training(
    budget: dict[str, int | float], *, command: str, seconds: float, data_hash: str
) -> dict[str, str]:
    return {
        **{name: str(value) for name, value in budget.items()},
        "command": command,
        "duration (s)": f"{seconds:.0f}",
        "data hash": data_hash,
        "torch": torch.__version__,
        "open_clip": version("open_clip_torch"),
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads",
    }


def read_history_with_file(weights: Path) -> dict[str, str]:
    """Return the history in a weight file, with the hash and size of the file."""
    content = weights.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return read_history(weights) | {"file hash": digest, "file size (MB)": f"{len(content) / 1e6:.2f}"}
