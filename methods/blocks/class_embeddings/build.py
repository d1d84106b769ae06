"""Builds the source of a method's class embeddings and checks that it fits the method."""

from __future__ import annotations

from benchmark.core.train_split import TrainSplit
from methods.blocks.class_embeddings.config import FileEmbeddings, TextEncoderEmbeddings
from methods.blocks.class_embeddings.row_order import check_against_text_encoder, check_dimension, check_row_order
from methods.blocks.class_embeddings.text_bank import ClassEmbeddings
from methods.blocks.class_embeddings.text_encoder import ClipTextEncoder
from methods.blocks.class_embeddings.tokenizers import build_tokenizer
from methods.blocks.clip.architecture import read_architecture
from methods.blocks.clip.assets import RANDOM
from methods.blocks.clip.config import AnyClipConfig, Clip
from methods.blocks.clip.loading import load_clip


def build_class_embeddings(
    config: TextEncoderEmbeddings | FileEmbeddings,
    *,
    clip_config: AnyClipConfig,
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
            the order of its names; or the CLIP has its own tokenizer, which cannot be loaded.
    """
    if isinstance(config, TextEncoderEmbeddings):
        tokenizer = build_tokenizer(clip_config)  # before anything is loaded
        return ClipTextEncoder(load_clip(clip_config) if clip is None else clip, split.prompts, tokenizer)
    table = config.read_table()
    encoder = None if clip is None else ClipTextEncoder(clip, split.prompts)
    if encoder is not None:
        check_dimension(table, encoder)
    has_own_tokenizer = bool(read_architecture(clip_config.model).tokenizer)  # which a file makes unnecessary
    if config.order == "checked" and encoder is not None and clip_config.weights != RANDOM and not has_own_tokenizer:
        check_against_text_encoder(table, encoder)
    elif config.order == "checked":
        check_row_order(table)
    return table
