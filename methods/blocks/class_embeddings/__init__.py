"""Class embeddings: unit vectors of class names, from CLIP's text encoder or from a file."""

from __future__ import annotations

from methods.blocks.class_embeddings.build import build_class_embeddings
from methods.blocks.class_embeddings.config import ClassEmbeddingsConfig, FileEmbeddings, TextEncoderEmbeddings
from methods.blocks.class_embeddings.plan_checks import check_embeddings_fit, check_tokenizer
from methods.blocks.class_embeddings.shuffle import ShuffleConfig, shuffle_class_embeddings
from methods.blocks.class_embeddings.text_bank import ClassEmbeddings, TextBank
from methods.blocks.class_embeddings.tokenizers import build_tokenizer

__all__ = [
    "ClassEmbeddings",
    "ClassEmbeddingsConfig",
    "FileEmbeddings",
    "ShuffleConfig",
    "TextBank",
    "TextEncoderEmbeddings",
    "build_class_embeddings",
    "build_tokenizer",
    "check_embeddings_fit",
    "check_tokenizer",
    "shuffle_class_embeddings",
]
