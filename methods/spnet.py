"""SPNet: Semantic Projection Network (Xian et al., CVPR 2019).

Idea in a sentence: a segmentation network predicts word vectors instead of class scores, so that a new class needs
only its word.

Official code: subhc/SPNet (MIT). We differ in the words: CLIP's text vectors where the paper concatenates word2vec and
fastText; in the body, which is the one that every method of this suite shares; and in the optimizer (the suite's AdamW
instead of SGD). Calibrated stacking (SPNet-C) is the suite's gamma sweep.

Words may come from a file (`words={kind: file, file: x.npy}`): then no CLIP is loaded or needed. Two rows are controls,
in which every class has the word of another one, seen among seen and unseen among unseen. Shuffled from the start, a
seen class's word is a label as good as any, and an unseen one's is wrong: where the unseen score is no lower, the
meaning of the words did not help. Shuffled at scoring, what was learnt is asked for by wrong names.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from benchmark.core.budget import Budget
from benchmark.core.method import Config, Method, Recipe, Supervision, Traits
from benchmark.core.split import Split
from benchmark.core.types import Batch, Losses, Prediction
from methods.blocks.bodies.body import AnyBody, AnyBodyConfig, BodyConfig, build_body
from methods.blocks.class_embeddings.sources import ShuffleConfig, TowerWords, WordsConfig, open_words, shuffle_words
from methods.blocks.class_embeddings.text_bank import TextBank
from methods.blocks.clip.config import ClipConfig
from methods.blocks.images import stack_images, stack_labels, to_predictions
from methods.blocks.losses import PixelTextConfig, PixelTextLoss
from methods.blocks.toy import toy_presets


class SpNetConfig(Config):
    """Body and words.

    Attributes:
        clip: whose text tower gives the words; its image tower is not used, and nothing of it with words from a file.
        words: of that tower, or of a file.
        shuffle: hand the words to wrong classes, as a control.
        body: the trained body.
    """

    clip: ClipConfig = ClipConfig()
    words: WordsConfig = TowerWords()
    shuffle: ShuffleConfig | None = None
    body: AnyBodyConfig = BodyConfig()


class SpNet(Method):
    """Body, linear map into the word space, inner product with the words (features not normalised)."""

    def __init__(self, *, body: AnyBody, text: TextBank) -> None:
        super().__init__()
        self.body, self.text = body, text
        self.project = nn.Conv2d(body.channels, text.dimension, kernel_size=1)
        self.pixel_text = PixelTextLoss(PixelTextConfig(focal=0, dice=0))

    def set_classes(self, names: Sequence[str]) -> None:
        """Score these classes from now on."""
        self.text.set_classes(names)

    def losses(self, batch: Batch) -> Losses:
        """Cross-entropy over seen classes, unlabelled pixels ignored."""
        images = stack_images(batch, stride=self.body.stride)
        scores = self.scores(images)
        labels = stack_labels(batch, size=images.shape[2:], classes=scores.shape[1])
        losses: Losses = self.pixel_text(scores, labels)
        return losses

    def predict(self, batch: Batch) -> list[Prediction]:
        """Inner products with the words, image by image."""
        answers: list[Prediction] = []
        for sample in batch:
            images = stack_images([sample], stride=self.body.stride)
            answers += to_predictions(self.scores(images), [sample], padded=(images.shape[2], images.shape[3]))
        return answers

    def scores(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) RGB 0-255 to (B, K, H/stride, W/stride)."""
        return torch.einsum("bdhw,kd->bkhw", self.project(self.body(images)), self.text())


def build(config: SpNetConfig, split: Split) -> SpNet:
    """Parts from their configs."""
    words = open_words(config.words, clip=config.clip, split=split)
    if config.shuffle is not None:
        words = shuffle_words(words, split=split, config=config.shuffle)
    return SpNet(body=build_body(config.body), text=TextBank(words))


VARIANTS: dict[str, SpNetConfig] = {
    "SPNet": SpNetConfig(),
    "SPNet, shuffled words": SpNetConfig(shuffle=ShuffleConfig()),
    "SPNet, words shuffled at scoring": SpNetConfig(shuffle=ShuffleConfig(begin="scoring")),
}

RECIPE = Recipe(
    title="SPNet",
    paper="CVPR 2019",
    traits=Traits(
        supervision=Supervision.SEEN_MASKS,
        reconstruction="SPNet uses CLIP's text vectors and the suite's body and optimizer.",
    ),
    variants=VARIANTS,
    build=build,
    budgets={
        "toybox": Budget(iterations=600, batch_size=16, learning_rate=2e-3),
        "*": Budget(iterations=20_000, batch_size=16, learning_rate=1e-4),
    },
    presets=toy_presets(),
)
