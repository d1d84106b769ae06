"""Check of class embeddings against the CLIP of a method, before anything is built."""

from __future__ import annotations

from methods.blocks.class_embeddings.config import FileEmbeddings, TextEncoderEmbeddings
from methods.blocks.class_embeddings.row_order import explain_dimension
from methods.blocks.class_embeddings.tokenizer_files import check_hub_tokenizer
from methods.blocks.clip.architecture import read_architecture
from methods.blocks.clip.assets import RANDOM
from methods.blocks.clip.config import AnyClipConfig


def check_embeddings_fit(config: TextEncoderEmbeddings | FileEmbeddings, clip_config: AnyClipConfig) -> None:
    """Check that embeddings from a file have the length of a CLIP's, or that its own tokenizer can be loaded.

    Args:
        config: Source of class embeddings.
        clip_config: CLIP whose image features are compared with them.

    Raises:
        ValueError: The file is broken, the lengths differ, or the tokenizer cannot be loaded.
    """
    if isinstance(config, FileEmbeddings):
        table = config.read_table()
        dimension = read_architecture(clip_config.model).embed_dim
        if table.dimension != dimension:
            raise ValueError(explain_dimension(table, dimension))
    else:
        check_tokenizer(clip_config)


def check_tokenizer(clip_config: AnyClipConfig) -> None:
    """Check that the tokenizer of a CLIP can be loaded.

    Raises:
        ValueError: The CLIP has its own tokenizer, and the package transformers or the files are missing.
    """
    if read_architecture(clip_config.model).tokenizer and clip_config.weights != RANDOM:
        check_hub_tokenizer(clip_config.model)
