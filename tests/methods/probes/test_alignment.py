"""Linear probes of Chimera-Seg."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch
from torch import Tensor

from benchmark.core.types import Batch, Sample
from benchmark.planning.resolve import build, resolve
from methods.blocks.dense_clip.method import DenseClip
from methods.chimera_seg import ChimeraSeg
from methods.probes.alignment import Probes, fit_probes, make_predictors

NO_PROBES = Probes({}, {})
SMALL: dict[str, Any] = {"clip.weights": "random", "body.weights": None, "body.sha256": ""}


def make_method(variant: str, **overrides: Any) -> ChimeraSeg:
    """Return an untrained variant in eval mode, with all classes as its vocabulary."""
    torch.manual_seed(0)
    spec = resolve(f"chimera_seg/{variant}", split="toybox", seed=0, overrides=SMALL | overrides)
    method = cast(ChimeraSeg, build(spec)).eval()
    method.set_classes(["grass", "star", "sky"])
    return method


def make_batch(count: int) -> Batch:
    return [make_sample(seed) for seed in range(count)]


def make_sample(seed: int) -> Sample:
    image = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(seed)) * 255
    return cast(Sample, {"image_id": str(seed), "image": image, "height": 64, "width": 64})


def get_logits(prediction: Any) -> Tensor:
    return torch.as_tensor(prediction["sem_seg"][:])


def test_every_stage_from_clip_to_the_prediction_has_a_score() -> None:
    method = make_method("Chimera-Seg")
    names = list(make_predictors(method, fit_probes(method, [make_batch(4)])))
    stages = ("features", "tokens")
    assert names == [
        "CLIP's dense map",
        *(f"linear map of {stage} to CLIP" for stage in stages),
        *(f"linear map of {stage} in place of the head" for stage in stages),
        "head without SAM",
        "prediction",
    ]


def test_a_head_without_frozen_blocks_has_no_tokens_to_probe() -> None:
    probes = fit_probes(make_method("no CSH"), [make_batch(4)])
    assert (list(probes.to_clip), list(probes.to_head)) == (["features"], ["features"])


@torch.no_grad()
def test_a_probe_of_the_features_recovers_a_head_that_is_linear() -> None:
    method = make_method("no CSH", **{"head.norm": None})
    with torch.no_grad():
        method.head.get_submodule("project.linear").bias.add_(5)  # makes the length of its outputs nearly constant
    features = method.body(torch.stack([sample["image"] for sample in make_batch(2)]))
    probe = fit_probes(method, [make_batch(16)]).to_head["features"]
    assert torch.cosine_similarity(probe(features), method.head(features)).min() > 0.999


@torch.no_grad()
@pytest.mark.parametrize(("variant", "last"), [("Chimera-Seg", "prediction"), ("no SAM", "head without SAM")])
def test_the_head_predicts_what_the_method_predicts(variant: str, last: str) -> None:
    method, sample = make_method(variant), make_sample(0)
    by_stage = make_predictors(method, NO_PROBES)[last](sample)
    assert torch.equal(get_logits(by_stage), get_logits(method.predict([sample])[0]))


@torch.no_grad()
def test_clips_dense_map_is_that_of_the_method_without_training() -> None:
    method, sample = make_method("CSH value path"), make_sample(0)
    cosines = get_logits(make_predictors(method, NO_PROBES)["CLIP's dense map"](sample)) / method.log_scale.exp()
    mask_clip = cast(
        DenseClip, build(resolve("maskclip", split="toybox", seed=0, overrides={"clip.weights": "random"}))
    )
    mask_clip.scores.encoder, mask_clip.text = method.image_encoder, method.text
    expected = get_logits(mask_clip.eval().predict([sample])[0]) / 100
    torch.testing.assert_close(cosines, expected, rtol=0, atol=1e-5)
