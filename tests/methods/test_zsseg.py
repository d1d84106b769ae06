"""zsseg: equal to the official code with the same weights, and the golden tests of its ensemble."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmark.contract.check import check_variant, make_subjects
from benchmark.contract.rule import RuleState
from benchmark.core.budget import Budget
from benchmark.core.prompts import Prompts
from benchmark.core.split import Split
from benchmark.core.train_split import make_train_split
from benchmark.core.types import Sample
from methods.blocks import AnyClipConfig
from methods.blocks.clip.user_folder import VARIABLE
from methods.blocks.mask_former import MaskFormer, MaskFormerConfig, PyramidConfig, rename_encoder
from methods.blocks.masked_crops import combine_probabilities
from methods.zsseg import RECIPE, ZsSeg, ZsSegConfig, build, convert_official
from tests.methods.blocks.clip.tiny_towers import ARCHITECTURES, RESNET
from tests.methods.official_tensors import draw_official_tensors

OFFICIAL = Path(__file__).parent / "official" / "zsseg"
NAMES = ("cat", "striped dog", "tall grass", "sky, clear", "traffic light")
SEEN, UNSEEN = (NAMES[0], NAMES[1], NAMES[3]), (NAMES[2], NAMES[4])
TINY_CLIP = {
    "embed_dim": 32,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 224, "patch_size": 32, "width": 64, "layers": 2, "head_width": 64},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}
TINY = ZsSegConfig(
    clip=AnyClipConfig(model="tiny-zsseg", weights="random"),
    segmenter=MaskFormerConfig(
        pyramid=PyramidConfig(encoder="resnet18", weights=None),
        pixel_channels=32,
        mask_channels=32,
        width=32,
        queries=8,
        layers=3,
        heads=4,
        hidden=64,
        dropout=0.0,
    ),
    hidden=48,
    ensemble=0.7,
)


@pytest.fixture(scope="module")
def expected() -> dict[str, Tensor]:
    with np.load(OFFICIAL / "outputs.npz") as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


def make_official_weights() -> dict[str, Tensor]:
    """Return the state dict of the official model."""
    return draw_official_tensors(json.loads((OFFICIAL / "shapes.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def official() -> dict[str, Tensor]:
    return make_official_weights()


@pytest.fixture(scope="module")
def method(official: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> ZsSeg:
    """Return the method with the tensors of the official model."""
    folder = tmp_path_factory.mktemp("weights")
    (folder / "tiny-zsseg.json").write_text(json.dumps(TINY_CLIP), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHIMERA_BENCH_WEIGHTS", str(folder))
        method = build(TINY, make_train_split(make_split(), withheld_by="seen_masks"))
    method.load_state_dict(convert_official(official, method))
    return method


def make_split() -> Split:
    return Split(
        name="parity", dataset="toybox", classes=NAMES, unseen=UNSEEN, train="train", evaluate="test", prompts=Prompts()
    )


def make_images(*sizes: tuple[int, int], random: np.random.RandomState) -> list[Tensor]:
    return [torch.from_numpy(random.uniform(0, 255, (3, *size)).astype(np.float32)) for size in sizes]


def make_inputs() -> tuple[list[Tensor], list[Sample]]:
    """Return two images of different sizes, and a training batch; drawn as where the official code ran."""
    random = np.random.RandomState(7)
    images = make_images((50, 70), (64, 48), random=random)
    coarse = [torch.from_numpy(random.randint(0, 4, (8, 12))) for _ in range(2)]
    labels = [map_.repeat_interleave(8, dim=0).repeat_interleave(8, dim=1) for map_ in coarse]
    training = make_images((64, 96), (64, 96), random=random)
    batch = [
        cast(Sample, {**make_sample(image), "sem_seg": torch.where(map_ == 3, 255, map_)})
        for image, map_ in zip(training, labels, strict=True)
    ]
    return images, batch


def make_sample(image: Tensor) -> Sample:
    return {"image": image, "height": image.shape[1], "width": image.shape[2], "image_id": "0", "file_name": ""}


@pytest.mark.parametrize("with_clip", [True, False])
def test_scores_of_images_of_different_sizes_equal_the_official_ones(
    method: ZsSeg, expected: dict[str, Tensor], with_clip: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not with_clip:
        monkeypatch.setattr(method, "config", TINY.model_copy(update={"ensemble": None}))
    method.eval().set_classes(NAMES)
    with torch.no_grad():
        predictions = method.predict([make_sample(image) for image in make_inputs()[0]])
    for index, prediction in enumerate(predictions):
        scores = expected[f"scores_{index}" if with_clip else f"scores_without_clip_{index}"]
        torch.testing.assert_close(prediction["sem_seg"][:, ::2, ::2], scores, atol=1e-4, rtol=1e-4)


def test_queries_masks_and_class_embeddings_equal_the_official_ones(method: ZsSeg, expected: dict[str, Tensor]) -> None:
    from methods.blocks.mask_former import stack_for_pyramid

    method.eval().set_classes(NAMES)
    images, _ = stack_for_pyramid([make_sample(make_inputs()[0][0])], stride=32)
    with torch.no_grad():
        output = method.segmenter(images, only_last=True)
        embeddings, text = method.project(output.embeddings[-1]), method.region_text()
    torch.testing.assert_close(embeddings, expected["embeddings"], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(output.masks[-1], expected["masks"], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(text, expected["text"][:-1], atol=1e-5, rtol=1e-4)


def test_losses_equal_the_official_ones(method: ZsSeg, expected: dict[str, Tensor]) -> None:
    method.train().set_classes(SEEN)
    losses = method.losses(make_inputs()[1])
    names = {name.removeprefix("train/") for name in expected if name.startswith("train/")}
    assert names == losses.keys() - {"loss_prompts"} and len(names) == 9
    for name in names:
        assert float(losses[name].detach()) == pytest.approx(float(expected[f"train/{name}"]), rel=1e-4)


def test_every_tensor_of_the_method_comes_from_the_official_checkpoint(
    method: ZsSeg, official: dict[str, Tensor]
) -> None:
    shapes = {name: value.shape for name, value in convert_official(official, method).items()}
    assert shapes == {name: value.shape for name, value in method.state_dict().items()}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sem_seg_head.predictor.bbox_embed.weight": torch.zeros(1)}, "1 of 264 tensors are unknown"),
        ({"backbone.patch_embed.proj.weight": torch.zeros(1)}, "no ResNet of Detectron2 has"),
        ({"sem_seg_head.predictor.query_embed.weight": None}, "nothing is named sem_seg_head.predictor.query_embed"),
    ],
)
def test_another_file_is_refused(
    method: ZsSeg, official: dict[str, Tensor], change: dict[str, Tensor | None], message: str
) -> None:
    changed = {name: value for name, value in {**official, **change}.items() if value is not None}
    with pytest.raises(ValueError, match=message):
        convert_official(changed, method)


def test_regions_may_have_an_adapter_of_their_own(method: ZsSeg, official: dict[str, Tensor]) -> None:
    own = {f"_region_{name}": value + 1 for name, value in official.items() if name.startswith("clip_adapter.")}
    converted = convert_official({**official, **own}, method)
    assert torch.equal(converted["region_text.prefix"], official["clip_adapter.prompt_learner.prefix_prompt"] + 1)
    assert torch.equal(converted["no_object"], official["clip_adapter.non_object_embedding"])


def test_the_encoder_of_r101c_has_the_names_and_shapes_of_detectron2() -> None:
    shapes = json.loads((OFFICIAL / "shapes_r101c.json").read_text(encoding="utf-8"))
    with torch.device("meta"):
        segmenter: Any = MaskFormer(MaskFormerConfig(pyramid=PyramidConfig(encoder="tu-resnet101s", weights=None)))
        official = {name: torch.empty(shape) for name, shape in shapes.items()}
    converted = rename_encoder(official, segmenter, into="")
    encoder = segmenter.pyramid.encoder.state_dict(prefix="pyramid.encoder.")
    assert {name: value.shape for name, value in converted.items()} == {
        name: value.shape for name, value in encoder.items()
    }


def test_weight_one_turns_clip_off_for_seen_classes() -> None:
    by_query, by_clip = torch.rand(2, 6, 5).unbind()
    is_seen = torch.tensor([True, False, True, True, False])
    combined = combine_probabilities(by_query, by_clip, is_seen=is_seen, weight=1.0)
    assert torch.equal(combined, torch.where(is_seen, by_query, by_clip))


def test_weight_one_half_treats_both_groups_alike() -> None:
    by_query, by_clip = torch.rand(2, 6, 5).unbind()
    combined = combine_probabilities(by_query, by_clip, is_seen=torch.arange(5) < 2, weight=0.5)
    torch.testing.assert_close(combined, (by_query * by_clip).sqrt())


@pytest.mark.parametrize(
    ("update", "message"),
    [
        ({"clip": AnyClipConfig(model="ViT-B-16-SigLIP", weights="random")}, "OpenAI's tokenizer"),
        ({"segmenter": TINY.segmenter.model_copy(update={"heads": 5})}, "must divide width"),
    ],
)
def test_parts_that_do_not_fit_are_refused_when_a_run_is_planned(update: dict[str, Any], message: str) -> None:
    config = RECIPE.variants["zsseg"].model_copy(update={"segmenter": TINY.segmenter, **update})
    config = config if "clip" in update else config.model_copy(update={"clip": AnyClipConfig(weights="random")})
    with pytest.raises(ValueError, match=message):
        config.check_plan(Budget())


@pytest.mark.parametrize("variant", ["zsseg", "single prompt"])
def test_every_rule_of_the_contract_is_kept_with_a_resnet_as_image_encoder(
    variant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(ARCHITECTURES))
    settings = {"clip.model": RESNET, "clip.weights": "random", "segmenter.queries": 4}
    outcomes = check_variant(next(make_subjects(f"zsseg/{variant}", overrides=settings)))
    assert {outcome.state for outcome in outcomes} <= {RuleState.OK, RuleState.NOT_APPLICABLE}
