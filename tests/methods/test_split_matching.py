"""Split Matching: two groups of queries with losses of their own."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch

from benchmark.api import Batch, Losses
from benchmark.contract.check import make_subjects
from benchmark.core.budget import Budget
from methods.split_matching import RECIPE, SplitMatching, SplitMatchingConfig
from methods.zsseg import ZsSeg
from tests.methods.cases import training_batch

SIZES = {"segmenter.queries": 6, "segmenter.layers": 2}


def make(variant: str = "Split Matching", **overrides: Any) -> SplitMatching:
    overrides = {**SIZES, **({} if variant == "no candidates" else {"candidates.count": 2}), **overrides}
    return cast(SplitMatching, next(make_subjects(f"split_matching/{variant}", overrides=overrides)).in_training())


def half_labeled_batch() -> Batch:
    """Return two images whose left half is labeled."""
    batch = training_batch()
    for sample in batch:
        sample["sem_seg"] = torch.full_like(sample["sem_seg"], 3)
        sample["sem_seg"][:, 16:] = 255
    return batch


def test_without_candidates_the_losses_are_those_of_zsseg_on_labeled_pixels() -> None:
    method = make("no candidates", enhancement=())
    overrides = {**SIZES, "matching.unlabeled": "ignored", "hidden": 256}
    zsseg = cast(ZsSeg, next(make_subjects("zsseg/VILD prompts", overrides=overrides)).in_training())
    zsseg.segmenter.load_state_dict(method.segmenter.state_dict())
    zsseg.project.load_state_dict(method.embed.state_dict())
    zsseg.no_object.data.copy_(method.no_object)
    monkey_text: Any = zsseg.region_text
    method.text = monkey_text
    ours, theirs = method.losses(training_batch()), zsseg.losses(training_batch())
    assert {name.replace("_seen", "") for name in ours} == set(theirs)
    for name, loss in ours.items():
        torch.testing.assert_close(loss, theirs[name.replace("_seen", "")])


def test_without_regions_the_candidates_cost_nothing_and_the_seen_queries_cost_the_same() -> None:
    batch = training_batch()
    for sample in batch:
        sample["sem_seg"] = torch.zeros_like(sample["sem_seg"])
    losses = make().losses(batch)
    assert not any(loss for name, loss in losses.items() if "candidate" in name)
    assert all(loss > 0 for name, loss in losses.items() if "seen" in name)


def test_regions_and_labeled_masks_have_losses_at_each_layer() -> None:
    names = {f"{kind}{layer}" for layer in ("", "_0") for kind in ("nce", "mask", "dice", "ce")}
    losses = make().losses(half_labeled_batch())
    assert {name.split("_", 2)[2] for name in losses} == names
    assert all(loss > 0 for loss in losses.values())


def test_the_bank_remembers_the_regions_of_the_batch() -> None:
    method = make()
    assert method.contrast is not None
    before = int(method.contrast.bank.filled)
    method.losses(half_labeled_batch())
    after = method.contrast.bank()
    assert len(after) > before
    torch.testing.assert_close(after.norm(dim=1), torch.ones(len(after)))


def test_candidate_masks_are_free_on_labeled_pixels_and_seen_masks_on_unlabeled_ones() -> None:
    method = make()
    forward, outputs = method.segmenter.forward, []

    def keep(*args: Any, **options: Any) -> Any:
        outputs.append(forward(*args, **options))
        outputs[0].masks.retain_grad()
        return outputs[0]

    method.segmenter.forward = keep
    losses = method.losses(half_labeled_batch())
    sum(loss for name, loss in losses.items() if "mask" in name or "dice" in name).backward()
    gradients = outputs[0].masks.grad.abs().sum(dim=(0, 1, 3))  # (6, columns)
    seen, candidates, half = gradients[:4], gradients[4:], gradients.shape[1] // 2
    assert seen[:, :half].sum() > 0 and not seen[:, half + 1 :].any()
    assert candidates[:, half:].sum() > 0 and not candidates[:, : half - 1].any()


def test_all_queries_as_candidates_are_refused() -> None:
    config = SplitMatchingConfig()
    config = config.model_copy(update={"segmenter": config.segmenter.model_copy(update={"queries": 50})})
    with pytest.raises(ValueError, match=r"candidates\.count is 50, expected less than segmenter\.queries, 50"):
        config.check_plan(Budget())


def test_shared_queries_are_all_matched_twice() -> None:
    method = make("shared queries", **{"segmenter.queries": 6})
    assert method.num_seen_queries == 6
    assert RECIPE.variants["shared queries"].candidates is not None


def test_one_matching_gives_regions_and_labeled_masks_to_any_query(monkeypatch: pytest.MonkeyPatch) -> None:
    method, calls = make("one matching"), list[tuple[Any, ...]]()

    def keep(*inputs: Any, **_options: Any) -> Losses:
        calls.append(inputs)
        return {}

    monkeypatch.setattr("methods.split_matching.compute_matching_losses", keep)
    method.losses(half_labeled_batch())
    logits, masks, targets = calls[0]
    num_seen = len(method.text())
    assert masks.shape[2] == 6
    assert targets.classes[0, :2].tolist() == [3, num_seen]
    assert targets.masks.sum(dim=1).max() == 1
    assert targets.counts[0] <= logits.shape[3] - num_seen
