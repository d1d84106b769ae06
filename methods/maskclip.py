"""MaskCLIP: dense labels from a frozen CLIP, without any training (arXiv 2112.01071, ECCV 2022).

Idea in a sentence: drop the attention of CLIP's last block, so that every patch keeps its own value, and compare each
patch with the class names.

Official code: chongzhou96/MaskCLIP (Apache-2.0). We differ in using CLIP's own pixel statistics, activation and norm
epsilon, and in leaving out prompt denoising and key smoothing, which are off by default there too.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from benchmark.core.budget import Budget
from benchmark.core.method import Config, Method, Recipe, Supervision, Traits
from benchmark.core.split import Split
from benchmark.core.types import Batch, Losses, Prediction
from methods.blocks.class_embeddings.sources import TowerWords, WordsConfig, open_words
from methods.blocks.class_embeddings.text_bank import TextBank
from methods.blocks.clip.config import ClipConfig, load_clip
from methods.blocks.clip.image_encoder import Attention, ClipImageEncoder, Tail, to_map
from methods.blocks.images import Normalize, stack_images, to_predictions
from methods.blocks.toy import toy_presets


class MaskClipConfig(Config):
    """What follows CLIP's second last block.

    Attributes:
        clip: the frozen CLIP.
        words: of its text tower, or of a file that must fit it.
        attention: "value" is MaskCLIP; "vanilla" takes the patches as CLIP leaves them.
        tail: "full" as in the official code, or "reduced" to the attention's output (ClearCLIP's reading).
        temperature: inverse temperature of the scores.
    """

    clip: ClipConfig = ClipConfig()
    words: WordsConfig = TowerWords()
    attention: Attention = "value"
    tail: Tail = "full"
    temperature: float = 100.0


class MaskClip(Method):
    """CLIP's value path and a cosine classifier."""

    def __init__(self, *, trunk: ClipImageEncoder, text: TextBank, config: MaskClipConfig) -> None:
        super().__init__()
        self.trunk, self.text, self.config = trunk, text, config
        self.normalize = Normalize(trunk.mean, trunk.std)

    def set_classes(self, names: Sequence[str]) -> None:
        """Score these classes from now on."""
        self.text.set_classes(names)

    def losses(self, batch: Batch) -> Losses:
        """Nothing is trained."""
        return {}

    def predict(self, batch: Batch) -> list[Prediction]:
        """Scaled cosines of patches and names, image by image."""
        answers: list[Prediction] = []
        for sample in batch:
            images = stack_images([sample], stride=self.trunk.patch)
            answers += to_predictions(self.scores(images), [sample], padded=(images.shape[2], images.shape[3]))
        return answers

    def scores(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) RGB 0-255 to (B, K, H/patch, W/patch)."""
        tokens, grid = self.trunk.embed(self.normalize(images))
        dense = self.trunk.finish(tokens, start=0, attention=self.config.attention, tail=self.config.tail)
        cosines = F.normalize(dense[:, 1:], dim=2) @ self.text().T
        return self.config.temperature * to_map(cosines, grid)


def build(config: MaskClipConfig, split: Split) -> MaskClip:
    """Parts from their configs."""
    clip = load_clip(config.clip)
    words = open_words(config.words, clip=config.clip, split=split, loaded=clip)
    return MaskClip(trunk=ClipImageEncoder(clip.visual), text=TextBank(words), config=config)


VARIANTS: dict[str, MaskClipConfig] = {
    "MaskCLIP": MaskClipConfig(),
    "reduced tail": MaskClipConfig(tail="reduced"),
    "CLIP patches as they are": MaskClipConfig(attention="vanilla"),
}

RECIPE = Recipe(
    title="MaskCLIP",
    paper="arXiv 2112.01071",
    traits=Traits(supervision=Supervision.NONE),
    variants=VARIANTS,
    build=build,
    budgets={"*": Budget(iterations=0)},
    presets=toy_presets(body=False),
)
