from __future__ import annotations

import pytest
import torch
from torch import Tensor

from benchmark.core.split import BACKGROUND, load_split
from benchmark.core.train_split import make_train_split
from benchmark.core.types import Sample
from methods.blocks.clip_es.config import AllTagsConfig, ClipEsConfig, VotedTagsConfig
from methods.blocks.clip_es.method import UNTAGGED, build
from methods.blocks.toy import TOY_CLIP_CONFIG

NAMES = ("grass", "ball", "car")
IMAGE = 255 * torch.rand(3, 32, 48, generator=torch.Generator().manual_seed(0))


def score(config: ClipEsConfig, *tags: str, names: tuple[str, ...] = NAMES) -> Tensor:
    """Return the scores (K, 32, 48) of a random image."""
    method = build(config.model_copy(update={"clip": TOY_CLIP_CONFIG}), make_train_split(load_split("toybox")))
    method.set_classes(names)
    sample: Sample = {"image": IMAGE, "height": 32, "width": 48, "file_name": "", "image_id": "0", "tags": tags}
    with torch.no_grad():
        return method.eval().predict([sample])[0]["sem_seg"]


def test_only_tagged_classes_have_maps() -> None:
    scores = score(ClipEsConfig(), "car", "ball", "a class of another vocabulary")
    assert (scores[0] == UNTAGGED).all() and scores[1:].min() >= 0
    assert scores[1:].flatten(1).max(dim=1).values.gt(0.3).all()


def test_an_image_without_tags_scores_all_classes_alike() -> None:
    assert (score(ClipEsConfig()) == UNTAGGED).all()


def test_background_is_what_no_map_covers() -> None:
    config = ClipEsConfig(affinity=None)
    scores = score(config, "car", "ball", BACKGROUND, names=(*NAMES, BACKGROUND))
    maps = score(config, "car", "ball")
    patches = (slice(None), slice(4, None, 8), slice(4, None, 8))
    assert scores[3].min() >= 0
    torch.testing.assert_close(scores[1:3][patches], maps[1:][patches])


def test_without_tags_every_class_competes_if_all_are_asked_for() -> None:
    assert score(ClipEsConfig(tags=AllTagsConfig())).min() >= 0


@pytest.mark.parametrize(("share", "least"), [(1e-6, 2), (1.0, 1)])
def test_classes_need_votes(share: float, least: int) -> None:
    scores = score(ClipEsConfig(tags=VotedTagsConfig(share=share)), names=load_split("toybox").classes)
    tagged = int((scores.flatten(1).max(dim=1).values > UNTAGGED).sum())
    assert tagged == 1 if share == 1 else least <= tagged < 32


@pytest.mark.parametrize("tags", [VotedTagsConfig(), AllTagsConfig()])
def test_methods_without_tags_do_not_see_those_of_the_image(tags: VotedTagsConfig | AllTagsConfig) -> None:
    config = ClipEsConfig(tags=tags)
    assert torch.equal(score(config, "car"), score(config, "grass", "ball"))


def test_a_sample_without_the_key_is_refused() -> None:
    method = build(ClipEsConfig(clip=TOY_CLIP_CONFIG), make_train_split(load_split("toybox")))
    method.set_classes(NAMES)
    with pytest.raises(ValueError, match="has no tags"):
        method.eval().predict([{"image": IMAGE, "height": 32, "width": 48, "file_name": "", "image_id": "0"}])
