"""Model cards of the toy weights: training data, settings and measured accuracy, written after each training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from benchmark.core.split import Split
from benchmark.evaluation.scores import Scores
from benchmark.utils.atomic_files import write_text
from methods.pretrain.evaluation import ClipMetrics


def write_clip_card(path: Path, *, history: Mapping[str, str], metrics: ClipMetrics, split: Split) -> None:
    """Write the model card of the toy CLIP as Markdown.

    Args:
        path: File to write.
        history: Settings of the training.
        metrics: Measured accuracy and scores.
        split: Split of the metrics.
    """
    rows = [
        f"| {name} | {'unseen' if name in split.unseen else 'seen'} | {metrics.accuracy[name]:.1f} |"
        for name in split.classes
    ]
    unseen_gain = metrics.dense.miou_unseen / metrics.chance.miou_unseen
    write_text(
        path,
        "\n".join(
            [
                "# Model card: toy CLIP",
                "",
                "A small `open_clip` model (`toy-ViT-16.json`), trained on toybox images and captions that name every",
                "class, without masks. On toybox it replaces CLIP's pre-training on web images.",
                "Written by `chimera-bench pretrain toy-clip`.",
                "",
                *_format_history(history),
                "## Evaluation",
                "",
                "Zero-shot accuracy on held-out single-class crops: "
                f"{metrics.average_accuracy(split.classes):.1f} % over all classes, "
                f"{metrics.average_accuracy(split.seen):.1f} % over seen and"
                f" {metrics.average_accuracy(split.unseen):.1f} % over unseen classes.",
                "",
                *_format_scores("Value path (MaskCLIP), test subset, without training", metrics.dense),
                *_format_scores("Uniformly random labels, same images", metrics.chance),
                "",
                f"mIoU(U) is {unseen_gain:.1f} times chance.",
                "",
                "| class | split `toybox` | accuracy (%) |",
                "|---|---|---|",
                *rows,
                "",
            ]
        ),
    )


def write_body_card(path: Path, *, history: Mapping[str, str], accuracy: float, classes: tuple[str, ...]) -> None:
    """Write the model card of the toy body as Markdown.

    Args:
        path: File to write.
        history: Settings of the training.
        accuracy: Accuracy on held-out portraits in percent.
        classes: Classes of the portraits.
    """
    write_text(
        path,
        "\n".join(
            [
                "# Model card: toy body",
                "",
                "Encoder and decoder from which every method with a trained body starts on toybox, pre-trained to",
                "classify portraits of single classes. All of these classes are seen in every toybox split:",
                f"{', '.join(classes)}.",
                "Written by `chimera-bench pretrain toy-body`.",
                "",
                *_format_history(history),
                "## Evaluation",
                "",
                f"Accuracy on held-out portraits of those classes: {accuracy:.1f} %.",
                "",
            ]
        ),
    )


def _format_history(history: Mapping[str, str]) -> list[str]:
    lines = [f"| {name} | {value} |" for name, value in sorted(history.items())]
    return ["## Training", "", "| | |", "|---|---|", *lines, ""]


def _format_scores(title: str, scores: Scores) -> list[str]:
    return [f"{title}: mIoU(S) {scores.miou_seen:.1f}, mIoU(U) {scores.miou_unseen:.1f}, hIoU {scores.hiou:.1f}."]
