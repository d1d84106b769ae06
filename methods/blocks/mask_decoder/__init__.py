"""Masks of classes from their embeddings: queries that know the image, and a decoder whose attention is the mask."""

from __future__ import annotations

from methods.blocks.mask_decoder.config import MaskDecoderConfig, QueryFormat
from methods.blocks.mask_decoder.decoder import MaskDecoder
from methods.blocks.mask_decoder.queries import ClassQueries
from methods.blocks.mask_decoder.query_update import QueryUpdate
from methods.blocks.mask_decoder.weights import initialize_head

__all__ = ["ClassQueries", "MaskDecoder", "MaskDecoderConfig", "QueryFormat", "QueryUpdate", "initialize_head"]
