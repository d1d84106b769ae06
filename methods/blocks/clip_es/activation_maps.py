"""Class activation maps of CLIP's last block, with all classes in one batched backward pass."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from methods.blocks.clip.attention import merge_heads, run_block
from methods.blocks.clip.attention_layers import AttentionLayer
from methods.blocks.clip.image_encoder import ClipImageEncoder
from methods.blocks.padding import Grid

EPS = 1e-7
"""Added to the maximum of a map before the division by it."""
MAX_GRADIENTS = 2**24
"""Gradients of the widest layer that are held at once; directions are differentiated in parts of this size."""
MLP_WIDENING = 4
"""Width of the widest layer of a block, in widths of a token."""

Objective = Literal["probability", "cosine"]
"""What is differentiated: the probability of a class among its competitors (softmax GradCAM), or its scaled cosine."""


class ActivationMaps(NamedTuple):
    """What the last block says about an image.

    Attributes:
        maps: (T, N) in 0-1, the T classes at the N patches.
        probabilities: (T,) of each class among all candidates.
        attention: (N, N) of the last block, averaged over its heads, without the class token.
    """

    maps: Tensor
    probabilities: Tensor
    attention: Tensor


def compute_activation_maps(
    encoder: ClipImageEncoder,
    tokens: Tensor,
    candidates: Tensor,
    *,
    grid: Grid,
    classes: Tensor,
    temperature: float,
    objective: Objective,
) -> ActivationMaps:
    """Compute GradCAM of classes at the first norm of the last block (CLIP-ES, arXiv 2212.09506, section 3.1).

    The image is represented by the mean of its patches, projected (if the model pools by attention: pooled with equal
    weights); a map is the inner product of the normalized
    tokens with the mean gradient over the patches, clamped at 0.

    Works in the contexts `torch.no_grad` and `torch.inference_mode`, in float32 even under autocast.

    Args:
        encoder: CLIP's image encoder.
        tokens: (1, P + N, C) before the last block.
        candidates: (M, D) unit vectors of all classes that compete.
        grid: Grid of the N patches.
        classes: (T,) indices of the candidates that get a map, at least one.
        temperature: Inverse temperature of the cosines.
        objective: What is differentiated.
    """
    without_autocast = torch.autocast(tokens.device.type, enabled=False)
    with torch.inference_mode(mode=False), torch.enable_grad(), without_autocast:
        tokens, candidates = tokens.detach().clone().float(), candidates.detach().clone().float()
        start, shift = encoder.num_prefix, tokens.new_zeros(1, 1, tokens.shape[2], requires_grad=True)
        attend = _ShiftedAttention(shift, num_prefix=start)
        block = encoder.list_blocks(grid)[-1]
        patches = run_block(block, tokens, attend=attend, tail="full")[:, start:]
        pooled = encoder.tower.project(encoder.tower.normalize(patches).mean(dim=1))[0]  # (D,)
        image = pooled.detach().requires_grad_()
        logits = temperature * candidates @ F.normalize(image, dim=0)  # (M,)
        probabilities = logits.softmax(dim=0)
        scores = (probabilities if objective == "probability" else logits)[classes.clone()]
        (directions,) = torch.autograd.grad(
            scores, image, torch.eye(len(classes)).to(scores), retain_graph=True, is_grads_batched=True
        )  # (T, D)
        gradients = _pull_back(directions, pooled, attend=attend)  # (T, C)
        features = block.normalize(tokens)[0, start:]  # (N, C)
        maps = rescale(rescale((gradients / len(features) @ features.T).clamp(min=0)))
    attention = attend.weights.mean(dim=1)[0, start:, start:]
    return ActivationMaps(maps, probabilities.detach()[classes], attention)


def rescale(maps: Tensor) -> Tensor:
    """Shift and scale each map to 0-1: (T, N) to (T, N). A constant map becomes 0."""
    maps = maps - maps.amin(dim=1, keepdim=True)
    return maps / (EPS + maps.amax(dim=1, keepdim=True))


class _ShiftedAttention:
    """The attention as trained of tokens to whose patches a vector (1, 1, C) of zeros is added.

    The gradient for this vector is the sum of those for the patches, which is taken before queries, keys and values are
    traced back to the tokens.

    Attributes:
        weights: Attention (B, H, L, L) of the last call.
    """

    weights: Tensor

    def __init__(self, shift: Tensor, *, num_prefix: int) -> None:
        self.shift, self.num_prefix = shift, num_prefix

    def __call__(self, layer: AttentionLayer, tokens: Tensor) -> Tensor:
        """Attend; shapes as in `Attend`."""
        query, key, value = layer.project_shifted(tokens, self.shift, num_prefix=self.num_prefix)
        weights = (query * query.shape[-1] ** -0.5 @ key.transpose(2, 3)).softmax(dim=3)
        self.weights = weights.detach()
        return merge_heads(layer, weights @ value)


def _pull_back(directions: Tensor, pooled: Tensor, *, attend: _ShiftedAttention) -> Tensor:
    """Multiply directions (T, D) with the derivative of a vector (D,) for the shift of the patches: (T, C).

    No more than D directions are traced back: the others are sums of them.
    """
    if len(directions) > len(pooled):
        derivative = _pull_back(torch.eye(len(pooled)).to(pooled), pooled, attend=attend)
        return directions @ derivative
    _, heads, length, _ = attend.weights.shape
    widest = length * max(heads * length, MLP_WIDENING * attend.shift.shape[2])
    parts = [
        torch.autograd.grad(pooled, attend.shift, part, retain_graph=True, is_grads_batched=True)[0].flatten(1)
        for part in directions.split(max(1, MAX_GRADIENTS // widest))
    ]
    return torch.cat(parts)
