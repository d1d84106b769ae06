"""CLIP-ZSS: targets, losses and rows of unknown regions, and a prediction without CLIP's image encoder."""

from __future__ import annotations

from typing import cast

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.api import Losses
from benchmark.core.budget import Budget
from benchmark.core.types import get_ignore_label
from methods.blocks import EXCLUDED_LOGIT, ClipImageEncoder
from methods.blocks.region_clustering import Regions, Synthesizer, add_regions
from methods.clip_zss import ClipZss, ClipZssConfig, tie_to_text
from tests.methods.cases import in_evaluation, in_training, prediction_batch, training_batch

CASE = "clip_zss/CLIP-ZSS"
IDS = torch.tensor([[[-1, 0], [1, -1]], [[-1, -1], [0, -1]]])
REGIONS = Regions(IDS, torch.tensor([[True, True], [True, False]]), torch.zeros(2, 2, 64), torch.zeros(2, 64))


@pytest.fixture
def method() -> ClipZss:
    return cast(ClipZss, in_training(CASE))


def test_the_prediction_never_calls_the_image_encoder_of_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(ClipImageEncoder, "embed")
    monkeypatch.delattr(ClipImageEncoder, "run_last_blocks")
    with torch.no_grad():
        assert len(in_evaluation(CASE).predict(prediction_batch())) == 2
    with pytest.raises(AttributeError, match="embed"):
        in_training(CASE).losses(training_batch())


def test_regions_fill_unlabeled_pixels_and_labels_override_them() -> None:
    labels = torch.tensor([[[2, 255], [255, 255]], [[0, 1], [1, 255]]])
    assert add_regions(labels, REGIONS, num_seen=3).tolist() == [[[2, 3], [4, 255]], [[0, 1], [1, 255]]]


def test_the_label_to_ignore_widens_if_seen_classes_and_regions_need_it() -> None:
    labels = torch.full((2, 2, 2), get_ignore_label(254))
    targets = add_regions(labels, REGIONS, num_seen=254)
    assert targets.unique().tolist() == [254, 255, get_ignore_label(256)]


def test_rows_are_tied_to_their_class_by_binary_cross_entropy() -> None:
    text, rows = torch.eye(2, 3), torch.tensor([[[2.0, -1.0, 5.0], [9.0, 9.0, 9.0]]])
    loss = tie_to_text(rows, text, torch.tensor([[True, False]]))
    expected = -(torch.tensor(2.0).sigmoid().log() + (1 - torch.tensor(-1.0).sigmoid()).log()) / 2
    torch.testing.assert_close(loss, expected)
    assert not tie_to_text(rows, text, torch.tensor([[False, False]]))


def test_attention_to_one_token_is_the_same_for_every_query() -> None:
    attention, token = nn.MultiheadAttention(16, 4, batch_first=True), torch.randn(1, 1, 16)
    one, other = (attention(torch.randn(1, 1, 16), token, token)[0] for _ in range(2))
    torch.testing.assert_close(one, other)


def test_absent_regions_have_no_influence_on_the_rows_of_others() -> None:
    synthesizer = Synthesizer(16, layers=1, heads=4)
    regions, tokens = torch.randn(1, 3, 16), torch.randn(1, 16)
    is_present = torch.tensor([[True, False, True]])
    rows = synthesizer(regions, tokens, is_present)
    changed = synthesizer(regions + torch.tensor([[[0.0], [5.0], [0.0]]]), tokens, is_present)
    torch.testing.assert_close(rows[:, [0, 2]], changed[:, [0, 2]])
    assert not torch.equal(synthesizer(regions, tokens + 1, is_present)[:, 0], rows[:, 0])


def test_an_image_has_no_logits_of_regions_that_only_other_images_have(
    method: ClipZss, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[Tensor] = []

    def keep(logits: Tensor, _targets: Tensor) -> Losses:
        compared.append(logits)
        return {}

    monkeypatch.setattr(method, "compare", keep)
    num_seen = len(method.text())
    method.learn_pixels(torch.randn(2, 64, 2, 2), torch.full((2, 2, 2), get_ignore_label(num_seen)), REGIONS)
    latent = compared[0][:, num_seen:]
    assert (latent[1, 1] == EXCLUDED_LOGIT).all()
    assert (latent[REGIONS.is_present].abs() <= 10.001).all()


def test_glm_attends_from_the_class_token_and_contrasts_with_the_batch(method: ClipZss) -> None:
    dense = F.normalize(torch.randn(2, 5, 64, generator=torch.Generator().manual_seed(0)), dim=2)
    tokens = F.normalize(torch.randn(2, 64, generator=torch.Generator().manual_seed(1)), dim=1)
    glm = method.glm
    assert glm is not None
    glm.bank.filled.zero_()
    long = dense * 8  # vectors of length √64
    weights = (torch.einsum("bd,bnd->bn", tokens * 8, long) / 8).softmax(dim=1)
    pooled = F.normalize(torch.einsum("bn,bnd->bd", weights, long), dim=1)
    expected = F.cross_entropy(pooled @ tokens.T / 0.07, torch.arange(2))
    torch.testing.assert_close(glm(dense, tokens, step_context=method.step_context), expected)


def test_without_its_modules_only_the_losses_of_labels_are_left() -> None:
    assert set(in_training("clip_zss/neither").losses(training_batch())) == {
        "loss_focal",
        "loss_dice",
        "loss_cross_entropy",
    }


def test_a_config_without_any_loss_of_labels_is_refused() -> None:
    with pytest.raises(ValueError, match="nel is null and cross_entropy is 0"):
        ClipZssConfig(nel=None, cross_entropy=0).check_plan(Budget())
