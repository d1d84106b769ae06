"""Classification of queries by class embeddings, and by a trained embedding of no object."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def classify_queries(queries: Tensor, classes: Tensor, no_object: Tensor, *, scale: float | Tensor) -> Tensor:
    """Compute scaled cosines of queries with classes and no object, in float32.

    Args:
        queries: (…, Q, D) embeddings of any length.
        classes: (K, D) unit vectors, or (…, K, D) of each image.
        no_object: (1, D), of any length.
        scale: Inverse temperature.

    Returns:
        (…, Q, K + 1) logits, the last one for no object.
    """
    with torch.autocast(queries.device.type, enabled=False):
        nothing = F.normalize(no_object.float(), dim=-1).expand(*classes.shape[:-2], 1, -1)
        rows = torch.cat([classes.float(), nothing], dim=-2)
        logits: Tensor = scale * (F.normalize(queries.float(), dim=-1) @ rows.transpose(-2, -1))
        return logits
