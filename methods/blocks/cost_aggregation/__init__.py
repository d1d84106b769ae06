"""Cost aggregation (CAT-Seg): cosines of image features and class embeddings, refined as maps."""

from __future__ import annotations

from methods.blocks.cost_aggregation.aggregator import CostAggregator
from methods.blocks.cost_aggregation.config import (
    AggregatorConfig,
    ClassConfig,
    CostDecoderConfig,
    SpatialConfig,
    ViewsConfig,
)
from methods.blocks.cost_aggregation.fine_tuning import (
    FineTuningConfig,
    fine_tune_image_encoder,
    fine_tune_text_encoder,
)
from methods.blocks.cost_aggregation.views import join_views, make_views

__all__ = [
    "AggregatorConfig",
    "ClassConfig",
    "CostAggregator",
    "CostDecoderConfig",
    "FineTuningConfig",
    "SpatialConfig",
    "ViewsConfig",
    "fine_tune_image_encoder",
    "fine_tune_text_encoder",
    "join_views",
    "make_views",
]
