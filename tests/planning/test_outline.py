"""Runs without files: estimated and measured before data and weights are there."""

from __future__ import annotations

import pytest

from benchmark.planning.outline import outline_runs
from benchmark.planning.pace_key import count_eval_images, make_pace_key
from benchmark.planning.random_weights import use_random_weights
from benchmark.planning.requested_study import Request
from methods.blocks import ClipConfig, SmpBodyConfig
from methods.chimera_seg import ChimeraConfig
from methods.spnet import SpNetConfig


def test_a_run_is_outlined_without_its_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHIMERA_BENCH_DATA", raising=False)
    (spec,) = outline_runs(Request("chimera_seg", splits=("voc12",))).specs
    assert (spec.dataset_fingerprint, spec.budget.iterations, spec.budget.batch_size) == ("", 20_000, 16)
    assert count_eval_images("voc12") == 1449


def test_an_unknown_variant_is_refused_without_files_too() -> None:
    with pytest.raises(KeyError, match="no SGDD"):
        outline_runs(Request("chimera_seg/no SGDD", splits=("voc12",)))


def test_splits_with_as_many_classes_have_the_same_pace() -> None:
    splits = ("toybox@6-s0-00", "toybox@6-s0-01", "toybox@5-s0-00")
    keys = [make_pace_key(spec) for spec in outline_runs(Request("spnet", splits=splits)).specs]
    assert keys[0] == keys[1] != keys[2]


def test_weights_to_download_become_random_and_others_stay() -> None:
    config = use_random_weights(ChimeraConfig())
    assert (config.clip.weights, config.body) == ("random", SmpBodyConfig(weights=None))
    toy = SpNetConfig(clip=ClipConfig(model="toy-ViT-8", weights="toy"))
    assert use_random_weights(toy).clip == toy.clip
