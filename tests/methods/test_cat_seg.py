"""CAT-Seg: equality with official code, class embeddings that are trained, losses of unlabeled pixels."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.core.prompts import Prompts
from benchmark.core.types import IGNORE, Sample
from methods.blocks import ClipImageEncoder
from methods.blocks.class_embeddings.tokenizers import TokenizedTexts, Tokenizer
from methods.blocks.class_embeddings.trained_text_bank import TrainedTextBank, take_text_encoder
from methods.blocks.cost_aggregation import (
    AggregatorConfig,
    CostAggregator,
    CostDecoderConfig,
    FineTuningConfig,
    fine_tune_image_encoder,
    fine_tune_text_encoder,
)
from methods.blocks.cost_aggregation.method import CatSeg, CatSegConfig, compute_bce, find_taps
from methods.blocks.cost_aggregation.official_names import convert_official
from methods.blocks.images import CLIP_MEAN, CLIP_STD
from tests.methods.parameter_counts import build_clip, count_all, count_linear, count_trained

OFFICIAL = np.load(Path(__file__).parent / "official" / "cat_seg.npz")
NAMES = [str(index) for index in range(5)]
DECODER = CostDecoderConfig(widths=(16, 16), guidance=(4, 4), upsampled=(8, 6))


class StoredTokens(Tokenizer):
    """The token ids of the official run: the text is the number of a row."""

    def tokenize(self, texts: Sequence[str], *, length: int) -> TokenizedTexts:
        rows = torch.from_numpy(OFFICIAL["tokens"].astype(np.int64))[[int(text) for text in texts]]
        return TokenizedTexts(rows, torch.zeros(len(texts), dtype=torch.bool))


def load_official() -> dict[str, Tensor]:
    """Return the state dict of the official model, with its masks, which are not stored, as zeros."""
    shapes: dict[str, list[int]] = json.loads(str(OFFICIAL["names"]))
    flat, state = torch.from_numpy(OFFICIAL["weights"]).float(), dict[str, Tensor]()
    for name, shape in shapes.items():
        is_mask = name.endswith("attn_mask")
        state[name] = torch.zeros(shape) if is_mask else flat[: int(np.prod(shape))].view(shape)
        flat = flat if is_mask else flat[int(np.prod(shape)) :]
    assert not len(flat)
    return state


def build_tiny(*, slots: int = 256, fine_tuning: FineTuningConfig | None = None) -> CatSeg:
    """Build our model with the sizes of the official run."""
    image = {"image_size": 64, "patch_size": 16, "width": 16, "layers": 9, "head_width": 8}
    text = {"context_length": 8, "vocab_size": 32, "width": 16, "heads": 2, "layers": 2}
    clip: Any = open_clip.CLIP(16, image, text, quick_gelu=True).eval().requires_grad_(False)
    clip.visual.image_mean, clip.visual.image_std = CLIP_MEAN, CLIP_STD
    encoder, clip = ClipImageEncoder(clip.visual), take_text_encoder(clip)
    fine_tune_image_encoder(encoder, fine_tuning or FineTuningConfig())
    fine_tune_text_encoder(clip, fine_tuning or FineTuningConfig())
    config = AggregatorConfig(width=16, heads=2, image_guidance=8, text_guidance=8, slots=slots)
    method = CatSeg(
        image_encoder=encoder,
        text=TrainedTextBank(clip, prompts=Prompts(templates=("{}",)), tokenizer=StoredTokens()),
        aggregator=CostAggregator(config, DECODER, dimension=16, width=16, side=24),
        config=CatSegConfig(decoder=DECODER),
    )
    method._taps = [3, 7]  # the official code names the blocks of ViT-B, whose depth is 12
    method.set_classes(NAMES)
    return method


@cache
def load_tiny(slots: int = 256) -> CatSeg:
    method = build_tiny(slots=slots)
    method.load_state_dict(convert_official(load_official(), method))
    return method


def make_sample(pixels: NDArray[np.uint8], *, repeat: int, **fields: Any) -> Sample:
    image = torch.from_numpy(np.kron(pixels, np.ones((1, repeat, repeat), np.uint8))).float()
    return {"image": image, "file_name": "", "image_id": "", **fields}  # type: ignore[typeddict-item]


def predict(method: CatSeg, index: int) -> Tensor:
    sample = make_sample(OFFICIAL[f"images{index}"], repeat=8, height=60 + 10 * index, width=70)
    with torch.no_grad():
        return method.eval().predict([sample])[0]["sem_seg"].sigmoid()[:, ::5, ::5]


@pytest.mark.parametrize("index", [0, 1])
def test_probabilities_are_those_of_official_code(index: int) -> None:
    expected = torch.from_numpy(OFFICIAL[f"probabilities{index}"])
    torch.testing.assert_close(predict(load_tiny(), index), expected, atol=1e-5, rtol=0)


def test_with_more_classes_than_slots_the_others_get_what_official_code_gives_them() -> None:
    expected = torch.from_numpy(OFFICIAL["probabilities_of_three"])
    assert (expected == 0).flatten(1).any(dim=1).sum() >= 2
    torch.testing.assert_close(predict(load_tiny(slots=3), 0), expected, atol=1e-5, rtol=0)


def test_training_loss_and_gradients_of_clip_are_those_of_official_code() -> None:
    method = deepcopy(load_tiny()).double().train()
    labels = torch.from_numpy(np.kron(OFFICIAL["labels"], np.ones((32, 32), np.uint8))).long()
    batch = [make_sample(OFFICIAL["square"][i], repeat=32, sem_seg=labels[i]) for i in range(2)]
    batch = [{**sample, "image": sample["image"].double()} for sample in batch]
    loss = method.losses(batch)["loss_bce"]
    loss.backward()
    assert float(loss.detach()) == pytest.approx(float(OFFICIAL["loss"]), abs=1e-6)
    image: Any = method.image_encoder.visual.transformer.resblocks[2].attn
    text: Any = method.text.encoder.transformer.resblocks[0].attn
    for layer, rows, name in ((image, slice(0, 16), "image_query"), (text, slice(16, 32), "text_value")):
        gradient = layer.parametrizations.in_proj_weight[0].update.grad[rows].float()
        torch.testing.assert_close(gradient, torch.from_numpy(OFFICIAL[f"gradient_of_{name}"]), atol=1e-7, rtol=1e-3)


def test_every_tensor_of_the_method_comes_from_the_official_file() -> None:
    method = build_tiny()
    converted = convert_official(load_official(), method)
    assert converted.keys() == method.state_dict().keys()


@pytest.mark.parametrize("change", ["more", "less"])
def test_files_of_another_model_are_refused_in_one_line(change: str) -> None:
    official = load_official()
    if change == "more":
        official["backbone.stem.weight"] = torch.zeros(1)
    else:
        official = {name: value for name, value in official.items() if "upsample1" not in name}
    with pytest.raises(ValueError, match=r"is not a checkpoint of CAT-Seg: .*(stem|upsample1)") as error:
        convert_official(official, load_tiny())
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("part", "qkv")
def test_a_projection_without_one_of_its_parts_is_named_as_in_the_file(part: str) -> None:
    official = load_official()
    name = f"sem_seg_head.predictor.clip_model.visual.transformer.resblocks.0.attn.{part}_proj_weight"
    del official[name]
    with pytest.raises(ValueError, match=f"^the file has no tensor {re.escape(name)}$"):
        convert_official(official, load_tiny())


def test_a_method_without_its_own_text_encoder_refuses_official_files() -> None:
    with pytest.raises(ValueError, match="hold a fine-tuned text encoder, and this variant has none"):
        convert_official(load_official(), torch.nn.Linear(1, 1))


def test_unlabeled_pixels_are_negatives_of_every_class_or_left_out() -> None:
    logits = torch.tensor([[[[2.0, -1.0]], [[0.0, 3.0]]]])  # (1, 2, 1, 2)
    labels = torch.tensor([[[1, IGNORE]]])
    terms = torch.log1p(torch.tensor([2.0, 0.0, -1.0, 3.0]).exp())  # of negatives; the second is a positive with log 2
    loss, ignored = (compute_bce(logits, labels, ignores_unlabeled=flag) for flag in (False, True))
    torch.testing.assert_close(loss, terms.mean())
    torch.testing.assert_close(ignored, terms[:2].mean())


def count_aggregator(dimension: int, width: int) -> int:
    """Count the parameters of the paper's layers: C = 128, two layers, decoder widths 64 and 32.

    A convolution of side s is a linear map of s² times the channels; a transposed one without overlap is a linear map
    to s² times the channels whose biases are shared.

    Args:
        dimension: Length of embeddings.
        width: Channels of CLIP's tokens.
    """
    embedding = count_linear(49, 128) + count_linear(9 * dimension, 128) + count_linear(dimension, 128)
    mlp_and_norms = count_linear(128, 512) + count_linear(512, 128) + 2 * 256
    projections = 2 * count_linear(128 + 128, 128) + count_linear(128, 128)  # queries and keys, values
    spatial = 2 * (projections + count_linear(128, 128) + mlp_and_norms) + 256  # the last one is of the guidance
    classes = projections + mlp_and_norms + 2 * 128  # the last ones are of the learned token
    guidance = width * 4 * 256 + 256 + count_linear(9 * 256, 32) + width * 16 * 128 + 128 + count_linear(9 * 128, 16)
    first = 128 * 4 * 96 + 96 + 9 * (96 + 32) * 64 + 9 * 64 * 64 + 4 * 64
    second = 64 * 4 * 48 + 48 + 9 * (48 + 16) * 32 + 9 * 32 * 32 + 4 * 32
    return embedding + 2 * (spatial + classes) + guidance + first + second + count_linear(9 * 32, 1)


@pytest.mark.parametrize(
    ("dimension", "width", "expected"), [(512, 768, 4_668_641), (768, 1024, 5_782_753)], ids=["ViT-B/16", "ViT-L/14"]
)
def test_the_aggregator_has_the_parameters_of_the_paper_s_layers(dimension: int, width: int, expected: int) -> None:
    with torch.device("meta"):
        aggregator = CostAggregator(AggregatorConfig(), CostDecoderConfig(), dimension=dimension, width=width, side=24)
    assert count_trained(aggregator) == count_all(aggregator) == count_aggregator(dimension, width) == expected


@pytest.mark.parametrize(
    ("model", "image", "text", "expected"),
    [("ViT-B-16", (12, 768), (12, 512), 19_857_408), ("ViT-L-14-336", (24, 1024), (12, 768), 63_438_848)],
)
def test_queries_and_values_of_clip_are_trained_but_for_the_last_queries(
    model: str, image: tuple[int, int], text: tuple[int, int], expected: int
) -> None:
    with torch.device("meta"):
        clip = build_clip(model)
        encoder, text_encoder = ClipImageEncoder(clip.visual), take_text_encoder(clip)
        fine_tune_image_encoder(encoder, FineTuningConfig())
        fine_tune_text_encoder(text_encoder, FineTuningConfig())
    (depth, width), (text_depth, text_width) = image, text
    assert (2 * depth - 1) * width**2 + 2 * text_depth * text_width**2 == expected
    assert count_trained(encoder, text_encoder) == expected


def test_the_decoder_is_guided_by_the_blocks_of_the_paper() -> None:
    assert [find_taps(depth, count=2) for depth in (12, 24)] == [[3, 7], [7, 15]]
