"""Class queries and the decoder of masks, beside layers of torch and values by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from methods.blocks import Dropout
from methods.blocks.mask_decoder import ClassQueries, MaskDecoder, MaskDecoderConfig, QueryFormat
from methods.blocks.mask_decoder.decoder import MaskDecoderLayer, MaskScores

IMAGE, TEXT = torch.tensor([[2.0, -1.0]]), torch.tensor([[3.0, 1.0], [0.5, 0.0]])


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def queries_of(format: QueryFormat) -> Tensor:
    """Return what enters the linear map, for the first class."""
    queries = ClassQueries(2, format=format)
    inputs: list[Tensor] = []
    queries.project.register_forward_pre_hook(lambda _, arguments: inputs.extend(arguments))
    assert queries(IMAGE, TEXT).shape == (1, 2, 2)
    return inputs[0][0, 0]


@pytest.mark.parametrize(
    ("format", "expected"),
    [
        ("product, text", [6, -1, 3, 1]),
        ("product", [6, -1]),
        ("difference, text", [1, 2, 3, 1]),
        ("difference", [1, 2]),
        ("image, text", [2, -1, 3, 1]),
        ("text", [3, 1]),
    ],
)
def test_queries_are_made_from_what_their_format_names(format: QueryFormat, expected: list[float]) -> None:
    assert queries_of(format).tolist() == expected


def test_queries_of_several_texts_of_a_class_have_their_shape() -> None:
    assert ClassQueries(4, format="product, text")(draw(3, 4), draw(5, 2, 4)).shape == (3, 5, 2, 4)


def test_a_layer_is_a_cross_attention_of_torch_and_an_mlp() -> None:
    layer, patches, queries = MaskDecoderLayer(8, MaskDecoderConfig(heads=2)), draw(2, 5, 8), draw(2, 3, 8, seed=1)
    attention = nn.MultiheadAttention(8, 2, batch_first=True)
    parts = (layer.scores.query, layer.scores.key, layer.value)
    attention.in_proj_weight.data = torch.cat([part.weight.data for part in parts])
    attention.in_proj_bias.data = torch.cat([part.bias.data for part in parts])
    attention.out_proj.load_state_dict(layer.update.merge.state_dict())
    update, dropout = layer.update, Dropout(0, None, device=queries.device)
    attended = update.attention_norm(queries + attention(queries, patches, patches)[0])
    expected = update.mlp_norm(attended + update.contract(update.expand(attended).relu()))
    torch.testing.assert_close(layer(queries, patches, dropout=dropout), expected)


def test_mask_scores_are_scaled_products_of_queries_and_keys() -> None:
    scores = MaskScores(4, heads=2)
    queries, patches = draw(1, 3, 4), draw(1, 5, 4, seed=1)
    query, key = scores.query(queries)[0], scores.key(patches)[0]
    second_head = query[:, 2:] @ key[:, 2:].T / 2**0.5
    torch.testing.assert_close(scores(queries, patches)[0, 1], second_head)


def test_a_decoder_of_one_layer_averages_the_scores_of_its_heads() -> None:
    decoder = MaskDecoder(4, MaskDecoderConfig(layers=1, heads=2))
    queries, patches = draw(1, 3, 4), draw(1, 5, 4, seed=1)
    products = decoder.scores.query(queries) @ decoder.scores.key(patches).transpose(1, 2)
    torch.testing.assert_close(decoder(queries, patches), products / 2**0.5 / 2)


def test_the_mask_of_a_class_does_not_depend_on_other_classes() -> None:
    decoder, queries, patches = MaskDecoder(8, MaskDecoderConfig(heads=2)), draw(1, 3, 8), draw(1, 5, 8, seed=1)
    torch.testing.assert_close(decoder(queries, patches)[:, :1], decoder(queries[:, :1], patches))


def test_dropout_changes_the_masks_in_training_alone() -> None:
    decoder, queries, patches = MaskDecoder(8, MaskDecoderConfig(heads=2)), draw(1, 3, 8), draw(1, 5, 8, seed=1)
    first, again = (decoder(queries, patches, torch.Generator().manual_seed(0)) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.allclose(first, decoder(queries, patches))


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^decoder.heads=8 does not divide 12, the length of an embedding$"):
        MaskDecoder(12, MaskDecoderConfig())
