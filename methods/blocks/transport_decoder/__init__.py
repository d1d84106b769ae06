"""Masks from several texts of a class, each of which is transported to its share of the patches (OTSeg)."""

from __future__ import annotations

from methods.blocks.prompt_texts import check_templates
from methods.blocks.transport_decoder.config import TransportConfig, TransportDecoderConfig
from methods.blocks.transport_decoder.decoder import TransportDecoder
from methods.blocks.transport_decoder.sinkhorn import compute_transport, score_transport
from methods.blocks.transport_decoder.texts import TemplateTexts

__all__ = [
    "TemplateTexts",
    "TransportConfig",
    "TransportDecoder",
    "TransportDecoderConfig",
    "check_templates",
    "compute_transport",
    "score_transport",
]
