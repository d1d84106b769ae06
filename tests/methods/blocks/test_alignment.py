"""The Semantic Alignment Module."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from methods.blocks.alignment import (
    NoAlignment,
    PrototypeAlignment,
    PrototypeConfig,
    SamConfig,
    SemanticAlignment,
    build_alignment,
    check_alignment_fits,
)
from methods.blocks.clip import ClipConfig
from methods.chimera_seg import ChimeraConfig


def unit(*shape: int) -> Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(0)), dim=-1)


def test_alignment_starts_as_no_alignment() -> None:
    text, dense = unit(5, 8), unit(2, 9, 8)
    sam = SemanticAlignment(SamConfig(heads=2), dimension=8)
    torch.testing.assert_close(sam(text, dense, None), NoAlignment()(text, dense, None))


def test_a_class_is_aligned_independently_of_the_other_classes() -> None:
    text, dense = unit(5, 8), unit(2, 9, 8)
    sam = SemanticAlignment(SamConfig(heads=2), dimension=8)
    torch.nn.init.normal_(sam.output.weight)
    torch.testing.assert_close(sam(text, dense, None)[:, :3], sam(text[:3], dense, None))


def test_heads_must_divide_the_dimension() -> None:
    with pytest.raises(ValueError, match=r"sam\.heads is 3 and must divide the embedding dimension 8"):
        SemanticAlignment(SamConfig(heads=3), dimension=8)


def test_heads_that_do_not_divide_the_embeddings_are_refused_before_anything_is_built() -> None:
    config = ChimeraConfig(clip=ClipConfig(model="ViT-B-16", weights="random"), sam=SamConfig(heads=3))
    with pytest.raises(ValueError, match=r"sam\.heads is 3 and must divide the embedding dimension 512"):
        check_alignment_fits(config.sam, config.clip)


def make_trained_sam() -> SemanticAlignment:
    torch.manual_seed(0)
    sam = SemanticAlignment(SamConfig(heads=2), dimension=8)
    torch.nn.init.normal_(sam.output.weight)
    return sam


def test_attention_is_the_softmax_of_scaled_inner_products_per_head() -> None:
    sam, text, dense = make_trained_sam(), unit(5, 8), unit(1, 9, 8)
    scale = math.sqrt(8)
    query = sam.query(text * scale)  # (K, D)
    key, value = sam.key_value(dense[0] * scale).chunk(2, dim=1)  # (N, D) each
    heads = [
        (query[:, part] @ key[:, part].T / 2).softmax(dim=1) @ value[:, part] for part in (slice(0, 4), slice(4, 8))
    ]
    expected = F.normalize(text + sam.output(torch.cat(heads, dim=1)) / scale, dim=1)
    torch.testing.assert_close(sam(text, dense, None)[0], expected)


def test_classes_attend_to_valid_positions_only() -> None:
    sam, text, dense = make_trained_sam(), unit(5, 8), unit(2, 9, 8)
    is_valid = torch.arange(9).expand(2, 9) < torch.tensor([[4], [9]])
    aligned = sam(text, dense, is_valid)
    torch.testing.assert_close(aligned[:1], sam(text, dense[:1, :4], None))
    torch.testing.assert_close(aligned[1:], sam(text, dense[1:], None))


def make_prototypes(step: float) -> PrototypeAlignment:
    alignment = PrototypeAlignment(PrototypeConfig(temperature=3.0))
    alignment.step.data.fill_(step)
    return alignment


def test_prototypes_start_as_no_alignment() -> None:
    text, dense = unit(5, 8), unit(2, 9, 8)
    torch.testing.assert_close(make_prototypes(0.0)(text, dense, None), NoAlignment()(text, dense, None))


def test_prototypes_are_means_weighted_by_the_softmax_of_scaled_cosines() -> None:
    text, dense = unit(5, 8), unit(1, 9, 8)
    aligned = make_prototypes(0.5)(text, dense, None)[0, 2]
    weights = [math.exp(3 * float(text[2] @ feature)) for feature in dense[0]]
    mean = sum(weight * feature for weight, feature in zip(weights, dense[0], strict=True))
    torch.testing.assert_close(aligned, F.normalize(text[2] + 0.5 * F.normalize(mean, dim=0), dim=0))


def test_prototypes_are_means_of_valid_positions_only() -> None:
    text, dense, alignment = unit(5, 8), unit(2, 9, 8), make_prototypes(0.5)
    is_valid = torch.arange(9).expand(2, 9) < torch.tensor([[4], [9]])
    torch.testing.assert_close(alignment(text, dense, is_valid)[:1], alignment(text, dense[:1, :4], None))


@pytest.mark.parametrize(
    ("fields", "kind"),
    [({}, SemanticAlignment), ({"heads": 2}, SemanticAlignment), ({"kind": "prototypes"}, PrototypeAlignment)],
)
def test_an_alignment_is_chosen_by_its_kind_and_is_sam_without_one(fields: Any, kind: type) -> None:
    config = ChimeraConfig.model_validate({"sam": fields}).sam
    assert type(build_alignment(config, dimension=8)) is kind
