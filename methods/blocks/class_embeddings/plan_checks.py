"""Check of class embeddings against the CLIP of a method, before anything is built."""

from __future__ import annotations

from methods.blocks.class_embeddings.config import FileEmbeddings, TextEncoderEmbeddings
from methods.blocks.class_embeddings.row_order import explain_dimension
from methods.blocks.clip.config import ClipConfig
from methods.blocks.clip.plan_checks import read_architecture


def check_embeddings_fit(config: TextEncoderEmbeddings | FileEmbeddings, clip_config: ClipConfig) -> None:
    """Check that embeddings from a file have the length of a CLIP's, for methods that compare both.

    Args:
        config: Source of class embeddings.
        clip_config: CLIP whose image features are compared with them.

    Raises:
        ValueError: The file is broken, or the lengths differ.
    """
    if isinstance(config, FileEmbeddings):
        table, dimension = config.read_table(), read_architecture(clip_config.model).embed_dim
        if table.dimension != dimension:
            raise ValueError(explain_dimension(table, dimension))
