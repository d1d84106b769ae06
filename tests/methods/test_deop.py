"""DeOP: equal to the official code with the tensors of its checkpoint, and which loss trains which part."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from benchmark.core.prompts import Prompts
from benchmark.core.split import Split
from benchmark.core.train_split import make_train_split
from benchmark.core.types import get_ignore_label
from methods.blocks import ClipConfig
from methods.blocks.deop import ExtraPositionsConfig, compute_class_maps
from methods.blocks.mask_former import MaskFormerConfig, PyramidConfig
from methods.blocks.mask_matching import make_mask_targets
from methods.deop import Deop, DeopConfig, build, convert_official
from tests.methods import official_tensors
from tests.methods.blocks.deop.tiny_deop import (
    NUM_PROPOSALS,
    SIZES,
    draw_images,
    draw_labels,
    draw_masks,
    draw_official_tensors,
    read_official,
)

SEEN, UNSEEN = ("grass", "striped cat", "sky", "tree"), ("cow", "river")
TINY_CLIP = {
    "embed_dim": 512,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 48, "patch_size": 16, "width": 128, "layers": 3, "head_width": 64},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 2},
}
TINY = DeopConfig(
    clip=ClipConfig(model="tiny-deop", weights="random"),
    learned_tokens=4,
    segmenter=MaskFormerConfig(
        pyramid=PyramidConfig(encoder="resnet18", weights=None),
        pixel_channels=32,
        mask_channels=32,
        width=32,
        queries=NUM_PROPOSALS,
        layers=3,
        heads=4,
        hidden=64,
        dropout=0.0,
    ),
    positions=ExtraPositionsConfig(before=(0, 1, 2), grid=4),
)
EMBED_QUERIES = "sem_seg_head.predictor.class_embed.layers."


def make_official_weights() -> dict[str, Tensor]:
    """Return a checkpoint: the tensors that the outputs were computed with, and those of its segmenter."""
    file = Path(__file__).parent / "official" / "zsseg" / "shapes.json"
    shapes = json.loads(file.read_text(encoding="utf-8"))
    shapes = {name: shape for name, shape in shapes.items() if name.startswith(("backbone.", "sem_seg_head."))}
    shapes |= {f"{EMBED_QUERIES}0.weight": [1024, 32], f"{EMBED_QUERIES}0.bias": [1024]}
    shapes |= {f"{EMBED_QUERIES}1.weight": [512, 1024], f"{EMBED_QUERIES}1.bias": [512]}
    shapes["sem_seg_head.predictor.query_embed.weight"] = [NUM_PROPOSALS, 32]
    rest = {"criterion.empty_weight": torch.ones(5), "clip_adapter.prompt_learner.dot_signal": torch.zeros(1, 64)}
    return {**official_tensors.draw_official_tensors(shapes), **draw_official_tensors(), **rest}


@pytest.fixture(scope="module")
def official() -> dict[str, Tensor]:
    return make_official_weights()


@pytest.fixture(scope="module")
def method(official: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Deop:
    """Return the method with the tensors of the checkpoint."""
    folder = tmp_path_factory.mktemp("weights")
    (folder / "tiny-deop.json").write_text(json.dumps(TINY_CLIP), encoding="utf-8")
    split = Split(
        name="parity",
        dataset="toybox",
        classes=(*SEEN, *UNSEEN),
        unseen=UNSEEN,
        train="train",
        evaluate="test",
        prompts=Prompts(),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHIMERA_BENCH_WEIGHTS", str(folder))
        method = build(TINY, make_train_split(split, withheld_by="seen_masks"))
    method.load_state_dict(convert_official(official, method))
    return method


@pytest.fixture
def training(method: Deop) -> Deop:
    """Return the method in training, without gradients of other tests."""
    method.zero_grad()
    method.train().set_classes(SEEN)
    return method


def get_trained_parts(method: Deop) -> set[str]:
    """Return the parts of a method with gradients."""
    return {name.partition(".")[0] for name, value in method.named_parameters() if value.grad is not None}


def compute_class_map_losses(method: Deop) -> dict[str, Tensor]:
    images, masks = draw_images(30, count=2, size=(64, 96)), draw_masks(20, count=2, size=(64, 96))
    labels = draw_labels(40, count=2, size=(64, 96), ignore=get_ignore_label(len(SEEN)))
    probabilities = method.classify(images, masks, method.text(), generator=None)
    return dict(method.class_maps(masks, probabilities, labels))


@pytest.mark.parametrize("index", range(len(SIZES)))
def test_scores_of_an_official_checkpoint_are_those_of_the_official_code(method: Deop, index: int) -> None:
    height, width = SIZES[index]
    images, masks = draw_images(index, size=SIZES[index]), draw_masks(10 + index, size=SIZES[index])
    method.eval().set_classes((*SEEN, *UNSEEN))
    with torch.no_grad():
        probabilities = method.classify(images, masks, method.text(), generator=None)
    scores = compute_class_maps(masks, probabilities[..., :-1], size=SIZES[index])[0, :, ::4, ::4]
    torch.testing.assert_close(scores, read_official(f"mask weight/scores {height}x{width}"), rtol=0, atol=1e-4)


def test_losses_of_an_official_checkpoint_are_those_of_the_official_code(training: Deop) -> None:
    losses = compute_class_map_losses(training)
    actual = torch.stack([losses["loss_class_focal"], losses["loss_class_dice"]]).detach().double()
    torch.testing.assert_close(actual, read_official("mask weight/losses"), rtol=1e-5, atol=1e-4)


def test_class_maps_train_everything_but_the_segmenter(training: Deop) -> None:
    losses = compute_class_map_losses(training)
    sum(losses.values()).backward()
    assert get_trained_parts(training) == {"text", "dense", "regions", "no_object"}
    assert training.text.prefix.grad.abs().sum() > 0


def test_losses_of_proposals_train_the_segmenter_and_no_object_alone(training: Deop) -> None:
    labels = draw_labels(40, count=2, size=(64, 96), ignore=get_ignore_label(len(SEEN)))
    proposals = training.segmenter(draw_images(30, count=2, size=(64, 96)))
    targets = make_mask_targets(labels, num_classes=len(SEEN))
    losses = training.compute_proposal_losses(proposals, targets, training.text().detach())
    sum(losses.values()).backward()
    assert get_trained_parts(training) == {"segmenter", "embed_queries", "no_object"}


@pytest.mark.parametrize(
    ("dropped", "added", "problem"),
    [
        ("query_embedding.weight", "", "nothing is named query_embedding.weight"),
        ("decoder.outlayer.multihead_attn_my.in_proj_bias", "", "the file has no tensor regions.select.in_proj_bias"),
        ("", "decoder.layers.0.norm1.x", r"1 of \d+ tensors are unknown \(decoder"),
        ("", "region_clip_adapter.x", r"1 of \d+ tensors are unknown \(region_clip_adapter.x"),
    ],
)
def test_another_file_is_refused_in_one_line(
    method: Deop, official: dict[str, Tensor], dropped: str, added: str, problem: str
) -> None:
    file = {name: value for name, value in official.items() if name != dropped}
    with pytest.raises(ValueError, match=problem) as error:
        convert_official(file | ({added: torch.zeros(1)} if added else {}), method)
    assert "\n" not in str(error.value)
