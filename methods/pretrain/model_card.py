"""Model cards: what was trained on what, for how long, and what it can do. Written by the command that trains."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from benchmark.core.split import Split
from benchmark.evaluation.scores import Scores
from benchmark.utils.atomic_files import write_text
from methods.pretrain.measure import ClipFigures


def write_clip_card(path: Path, *, history: Mapping[str, str], figures: ClipFigures, split: Split) -> None:
    """The card of the toy CLIP, as Markdown."""
    rows = [
        f"| {name} | {'unseen' if name in split.unseen else 'seen'} | {figures.accuracy[name]:.1f} |"
        for name in split.classes
    ]
    unseen_gain = figures.dense.miou_unseen / figures.chance.miou_unseen
    write_text(
        path,
        "\n".join(
            [
                "# Model card: toy CLIP",
                "",
                "An `open_clip` model of toy size (`toy-ViT-16.json`), trained on toybox pictures and captions that",
                "name every class, without masks. It plays the part that CLIP's pre-training plays for real pictures.",
                "Written by `chimera-bench pretrain toy-clip`.",
                "",
                *_history(history),
                "## What it can do",
                "",
                "Zero-shot accuracy on held-out single-class crops: "
                f"{figures.accuracy_over(split.classes):.1f} % over all classes, "
                f"{figures.accuracy_over(split.seen):.1f} % over seen and"
                f" {figures.accuracy_over(split.unseen):.1f} % over unseen ones.",
                "",
                *_dense("Value path (MaskCLIP), test part, training-free", figures.dense),
                *_dense("Uniformly random labels, same pictures", figures.chance),
                "",
                f"Unseen classes: {unseen_gain:.1f} times chance.",
                "",
                "| class | split `toybox` | accuracy (%) |",
                "|---|---|---|",
                *rows,
                "",
            ]
        ),
    )


def write_body_card(path: Path, *, history: Mapping[str, str], accuracy: float, classes: tuple[str, ...]) -> None:
    """The card of the toy body, as Markdown."""
    write_text(
        path,
        "\n".join(
            [
                "# Model card: toy body",
                "",
                "Encoder and decoder of the body that every trained method starts from on toybox, pre-trained to name",
                "the one class in a portrait. It saw only classes that are seen in every toybox split:",
                f"{', '.join(classes)}.",
                "Written by `chimera-bench pretrain toy-body`.",
                "",
                *_history(history),
                "## What it can do",
                "",
                f"Accuracy on held-out portraits of those classes: {accuracy:.1f} %.",
                "",
            ]
        ),
    )


def _history(history: Mapping[str, str]) -> list[str]:
    lines = [f"| {name} | {value} |" for name, value in sorted(history.items())]
    return ["## How it was made", "", "| | |", "|---|---|", *lines, ""]


def _dense(title: str, scores: Scores) -> list[str]:
    return [f"{title}: mIoU(S) {scores.miou_seen:.1f}, mIoU(U) {scores.miou_unseen:.1f}, hIoU {scores.hiou:.1f}."]
