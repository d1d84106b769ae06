"""ClsCLIP: the drawn classes, the binary target, and the scores of all classes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from benchmark.api import Batch
from methods.blocks import EXCLUDED_LOGIT, TextBank
from methods.blocks.conditioned_encoder import ConditionedEncoder, ReplacementConfig
from methods.cls_clip import CHUNK, ClsClip, Decoder, DecoderConfig
from tests.methods.blocks.dense_clip.tiny_clip import build_tiny_encoder

SEEN, IGNORE = 20, 255


class _Vectors:
    """A fixed unit vector for each number."""

    dimension = 32

    def embed(self, names: Sequence[str]) -> Tensor:
        vectors = torch.randn(100, 32, generator=torch.Generator().manual_seed(3))
        return torch.nn.functional.normalize(vectors, dim=1)[[int(name) for name in names]]


def _make(*, absent_share: float = 0.3, prefilter: int | None = None) -> ClsClip:
    torch.manual_seed(0)
    method = ClsClip(
        encoder=ConditionedEncoder(build_tiny_encoder(), ReplacementConfig()),
        decoder=Decoder(64, DecoderConfig(channels=16)),
        text=TextBank(_Vectors()),
        absent_share=absent_share,
        prefilter=prefilter,
    )
    method.set_classes([str(number) for number in range(SEEN)])
    return method


def _make_sample(labels: Tensor) -> Batch:
    image = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(1))
    return [{"image": image, "height": 32, "width": 32, "file_name": "", "image_id": "", "sem_seg": labels}]


LABELS = torch.full((32, 32), IGNORE)
LABELS[:16, :16], LABELS[16:] = 3, 7


def test_30_percent_of_the_drawn_classes_are_absent() -> None:
    drawn = _make().draw_classes(LABELS.expand(2000, -1, -1))
    is_absent = (drawn != 3) & (drawn != 7)
    assert 0.26 < float(is_absent.float().mean()) < 0.34
    assert set(drawn.tolist()) == set(range(SEEN))


def test_without_absent_classes_only_shown_ones_are_drawn() -> None:
    assert set(_make(absent_share=0.0).draw_classes(LABELS.expand(50, -1, -1)).tolist()) == {3, 7}


def test_an_image_that_shows_every_class_or_none_gets_a_class() -> None:
    every = torch.arange(32 * 32).view(32, 32) % SEEN
    drawn = _make(absent_share=1.0).draw_classes(torch.stack([every, torch.full_like(every, IGNORE)]))
    assert all(0 <= number < SEEN for number in drawn.tolist())


def test_the_target_is_the_drawn_class_against_all_other_labeled_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    method, targets = _make(), []
    monkeypatch.setattr(method, "draw_classes", lambda labels: torch.tensor([3]))
    method.cross_entropy.register_forward_pre_hook(lambda _module, inputs: targets.append(inputs[1]))
    method.losses(_make_sample(LABELS))
    assert targets[0].equal(torch.where(LABELS == IGNORE, IGNORE, (LABELS == 3).long())[None])


@torch.no_grad()
def test_the_score_of_a_class_is_its_log_odds_whatever_classes_are_beside_it() -> None:
    method, images = _make(), torch.rand(1, 3, 32, 48) * 255
    scores = method.compute_logits(images)
    method.set_classes([str(CHUNK + 1)])
    tokens, grid = method.encoder.run_shared(images)
    ((background, foreground),) = method.decoder(method.encoder(tokens, method.text(), grid=grid), grid)
    assert scores.shape == (1, SEEN, 2, 3)
    torch.testing.assert_close(scores[0, CHUNK + 1], foreground - background, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_the_prefilter_changes_no_score_of_the_classes_that_it_keeps() -> None:
    images = torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(2)) * 255
    scores, filtered = _make().compute_logits(images)[0], _make(prefilter=4).compute_logits(images)[0]
    is_kept = (filtered != EXCLUDED_LOGIT).flatten(1).all(dim=1)
    assert int(is_kept.sum()) == 4
    torch.testing.assert_close(filtered[is_kept], scores[is_kept], atol=1e-4, rtol=1e-4)
    assert bool((filtered[~is_kept] < scores.min()).all())


@torch.no_grad()
def test_the_prefilter_keeps_the_classes_nearest_to_clip_s_class_token() -> None:
    method = _make(prefilter=4)
    images = torch.rand(1, 3, 32, 48) * 255
    encoder = method.encoder.encoder
    tokens, _ = encoder.embed(method.encoder.normalize(images))
    cosines = method.text() @ encoder.encode_class_token(tokens)[0]
    kept = (method.compute_logits(images)[0, :, 0, 0] != EXCLUDED_LOGIT).nonzero()[:, 0]
    assert set(kept.tolist()) == set(cosines.topk(4).indices.tolist())
