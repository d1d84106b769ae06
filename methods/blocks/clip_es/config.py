"""Config of CLIP-ES."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from benchmark.core.budget import Budget
from benchmark.core.method import Config
from benchmark.core.split import Split
from methods.blocks.class_embeddings import (
    ClassEmbeddingsConfig,
    FileEmbeddings,
    TextEncoderEmbeddings,
    check_embeddings_fit,
)
from methods.blocks.clip.config import ClipConfig
from methods.blocks.clip.positions import Interpolation
from methods.blocks.clip_es.activation_maps import Objective
from methods.blocks.clip_es.attention_affinity import Borders
from methods.blocks.refinement import DenseCrfConfig

_VOC_WORDS = (
    "ground land grass tree building wall sky lake water river sea railway railroad keyboard helmet cloud house "
    "mountain ocean road rock street valley bridge sign"
)
VOC_BACKGROUND = tuple(_VOC_WORDS.split(" "))
"""Words for what surrounds the objects of PASCAL VOC, from the official code."""


class ImageTagsConfig(Config):
    """The classes that the image shows, which the supervision provides."""

    kind: Literal["image"] = "image"


class VotedTagsConfig(Config):
    """The classes that CLIP's own patches vote for.

    Attributes:
        share: Share of the patches that a class needs.
    """

    kind: Literal["votes"] = "votes"
    share: float = Field(default=0.1, gt=0, le=1)


class AllTagsConfig(Config):
    """All classes."""

    kind: Literal["all"] = "all"


TagsConfig = Annotated[ImageTagsConfig | VotedTagsConfig | AllTagsConfig, Field(discriminator="kind")]
"""Config of the source of tags."""


class AffinityConfig(Config):
    """Spreading of maps by the attention.

    Attributes:
        blocks: Number of the last blocks whose attention is averaged; all if CLIP has fewer.
        threshold: Share of a map's maximum that must be exceeded in the boxes from which the map is spread.
        borders: Whether these boxes include the last row and the last column ("kept") or not, as in the official code.
    """

    blocks: int = Field(default=8, ge=1)
    threshold: float = Field(default=0.4, ge=0, le=1)
    borders: Borders = "code"


class ClipEsConfig(Config):
    """A frozen CLIP whose activation maps label the patches.

    Attributes:
        clip: Frozen CLIP.
        class_embeddings: Source of class embeddings: CLIP's text encoder, or a file that must fit it.
        tags: Source of the classes that get a map.
        background: Words that compete with the tagged classes; those that name a class are dropped.
        objective: What is differentiated: the probability of a class among its competitors, or its cosine.
        affinity: Spreading of the maps by CLIP's attention; None for none.
        weighting: Factor of each map: none, or the probability of its class.
        crf: Fully connected CRF on the pixels; None for none.
        interpolation: Interpolation of CLIP's positions on another grid than the trained one.
        temperature: Inverse temperature of the cosines.
    """

    clip: ClipConfig = ClipConfig()
    class_embeddings: ClassEmbeddingsConfig = TextEncoderEmbeddings()
    tags: TagsConfig = ImageTagsConfig()
    background: tuple[str, ...] = VOC_BACKGROUND
    objective: Objective = "probability"
    affinity: AffinityConfig | None = AffinityConfig()
    weighting: Literal["none", "probability"] = "none"
    crf: DenseCrfConfig | None = None
    interpolation: Interpolation = "bilinear"
    temperature: float = Field(default=100.0, gt=0, le=1e4)

    def check_split(self, split: Split) -> None:
        """Check that a file of embeddings has the background words, too.

        Raises:
            KeyError: It lacks one.
        """
        if not isinstance(self.class_embeddings, FileEmbeddings):
            return
        known = self.class_embeddings.read_table().names
        missing = [word for word in self.background if word not in known]
        if missing:
            raise KeyError(
                f"embedding file {self.class_embeddings.file} lacks the background word {missing[0]!r}: add all of "
                "`background` to it, or leave them out with background=[]"
            )

    def check_plan(self, budget: Budget) -> None:
        """Check the parts, and that class embeddings fit CLIP."""
        super().check_plan(budget)
        check_embeddings_fit(self.class_embeddings, self.clip)
