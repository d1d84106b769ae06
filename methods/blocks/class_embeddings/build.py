"""Builds the source of a method's class embeddings and checks that it fits the method."""

from __future__ import annotations

from benchmark.core.train_split import TrainSplit
from methods.blocks.class_embeddings.config import FileEmbeddings, TextEncoderEmbeddings
from methods.blocks.class_embeddings.row_order import check_against_text_encoder, check_dimension, check_row_order
from methods.blocks.class_embeddings.text_bank import ClassEmbeddings
from methods.blocks.class_embeddings.text_encoder import ClipTextEncoder
from methods.blocks.clip.assets import RANDOM
from methods.blocks.clip.config import Clip, ClipConfig
from methods.blocks.clip.loading import load_clip


def build_class_embeddings(
    config: TextEncoderEmbeddings | FileEmbeddings,
    *,
    clip_config: ClipConfig,
    split: TrainSplit,
    clip: Clip | None = None,
) -> ClassEmbeddings:
    """Build the source of a method's class embeddings.

    Args:
        config: Kind of source.
        clip_config: CLIP whose text encoder provides the embeddings; loaded only if `config` asks for it.
        split: Prompts for the text encoder.
        clip: The CLIP of `clip_config` if the method has loaded it; the embeddings of a file must then fit it.

    Raises:
        ValueError: A file is broken, its embeddings have another length than those of `clip`, or its rows are not in
            the order of its names.
    """
    if isinstance(config, TextEncoderEmbeddings):
        return ClipTextEncoder(load_clip(clip_config) if clip is None else clip, split.prompts)
    table = config.read_table()
    encoder = None if clip is None else ClipTextEncoder(clip, split.prompts)
    if encoder is not None:
        check_dimension(table, encoder)
    if config.order == "checked" and encoder is not None and clip_config.weights != RANDOM:
        check_against_text_encoder(table, encoder)
    elif config.order == "checked":
        check_row_order(table)
    return table
