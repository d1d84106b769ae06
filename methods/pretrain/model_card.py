"""Model cards of the toy weights: training data, settings and measured accuracy, written after each training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from benchmark.data.toybox.scene import CLASSES
from benchmark.data.toybox.stuff import STUFF
from benchmark.data.toybox.things import THINGS
from benchmark.utils.atomic_files import write_text
from methods.blocks.clip.assets import TOY_MODEL
from methods.pretrain.evaluation import NUM_DRAWS, SPLIT, ClipMetrics, DenseMetrics
from methods.pretrain.forms import NUM_FORMS, NUM_OBJECTS, NUM_TEXTURES


def write_clip_card(path: Path, *, history: Mapping[str, str], metrics: ClipMetrics) -> None:
    """Write the model card of the toy CLIP as Markdown.

    Args:
        path: File to write.
        history: Settings of the training.
        metrics: Measured accuracy and scores.
    """
    best = max(metrics.dense, key=lambda name: metrics.dense[name].hiou)
    write_text(
        path,
        "\n".join(
            [
                "# Model card: toy CLIP",
                "",
                f"A small `open_clip` model (`{TOY_MODEL}.json`), trained on toybox images and captions that name all",
                f"classes of the image or, in {history['single_tags']} % of the cases, one of them; without masks. On",
                "toybox it replaces CLIP's pre-training on web images. Written by `chimera-bench pretrain toy-clip`.",
                "",
                *_format_history(history),
                "## Evaluation",
                "",
                "All figures are means over classes, of images that the training did not see: portraits of one class,",
                "and the 400 test scenes. Tags and captions name classes that cover at least 1/64 of an image.",
                "",
                *_format_image_level(metrics),
                "",
                "Dense labels without training, by attention and tail of the last block. hIoU and unseen things are",
                f"means over {NUM_DRAWS} draws of six unseen classes (`{SPLIT}@stuff3+things3-s0-00` and following).",
                "One run of a variant has the predictions for all draws.",
                "",
                "| variant of maskclip | mIoU | stuff | things | unseen things | hIoU |",
                "|---|---|---|---|---|---|",
                *(_format_dense(name, scores) for name, scores in metrics.dense.items()),
                _format_dense("uniformly random labels", metrics.chance),
                "",
                f"By class; IoU of the best row ({best}).",
                "",
                "| class | portraits (%) | ranking (%) | IoU |",
                "|---|---|---|---|",
                *(_format_class(name, metrics, best=best) for name in CLASSES),
                "",
            ]
        ),
    )


def write_body_card(path: Path, *, history: Mapping[str, str], accuracy: float) -> None:
    """Write the model card of the toy body as Markdown.

    Args:
        path: File to write.
        history: Settings of the training.
        accuracy: Accuracy on held-out forms in percent.
    """
    write_text(
        path,
        "\n".join(
            [
                "# Model card: toy body",
                "",
                "Encoder and decoder from which every method with a trained body starts on toybox, pre-trained to",
                f"classify {NUM_TEXTURES} random textures and {NUM_OBJECTS} random objects. None of them is a class of",
                "toybox, so no split can withhold a class that the body knows.",
                "Written by `chimera-bench pretrain toy-body`.",
                "",
                *_format_history(history),
                "## Evaluation",
                "",
                f"Accuracy on held-out images of those {NUM_FORMS} forms: {accuracy:.1f} %.",
                "",
            ]
        ),
    )


def _format_history(history: Mapping[str, str]) -> list[str]:
    lines = [f"| {name} | {value} |" for name, value in sorted(history.items())]
    return ["## Training", "", "| | |", "|---|---|", *lines, ""]


def _format_image_level(metrics: ClipMetrics) -> list[str]:
    """Return the table of accuracies of whole images, for stuff and things."""
    rows = []
    for name, values in (
        ("zero-shot accuracy on portraits", metrics.accuracy),
        ("pairs of a scene with and one without a class that the CLS token ranks correctly", metrics.ranking),
    ):
        means = [sum(values[each] for each in group) / len(group) for group in (CLASSES, tuple(STUFF), tuple(THINGS))]
        rows.append(f"| {name} | {' | '.join(f'{mean:.1f}' for mean in means)} |")
    return ["| % | all | stuff | things |", "|---|---|---|---|", *rows]


def _format_dense(name: str, scores: DenseMetrics) -> str:
    values = [scores.average(group) for group in (CLASSES, tuple(STUFF), tuple(THINGS))]
    return f"| {name} | {' | '.join(f'{value:.1f}' for value in (*values, scores.unseen_things, scores.hiou))} |"


def _format_class(name: str, metrics: ClipMetrics, *, best: str) -> str:
    values = metrics.accuracy[name], metrics.ranking[name], metrics.dense[best].iou[name]
    return f"| {name} | {' | '.join(f'{value:.1f}' for value in values)} |"
