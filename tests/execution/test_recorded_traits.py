"""Traits and paper in the record of a run."""

from __future__ import annotations

from pathlib import Path

from benchmark.core.protocol_class import ProtocolClass
from benchmark.core.run_record import RunRecord
from benchmark.execution.runner import execute
from benchmark.planning.resolve import resolve
from benchmark.store.store import Store


def run(method: str, folder: Path) -> RunRecord:
    """Run a method without training on two images."""
    spec = resolve(method, split="toybox", seed=0, max_images=2, overrides={"budget.iterations": 0})
    return execute(spec, store=Store(folder), measures_cost=False)


def test_a_record_has_the_traits_and_the_paper_of_its_method(tmp_path: Path) -> None:
    record = run("proxyclip", tmp_path)
    assert record.paper == "arXiv 2408.04883"
    assert record.traits == ProtocolClass(
        supervision="none",
        vocabulary="all",
        target_images="none",
        mask_votes="none",
        background="none",
        backbone="toy CLIP ViT-8",
        extra_models=("toy ResNet",),
    )


def test_tags_are_the_vocabulary_of_an_image(tmp_path: Path) -> None:
    assert run("clip_es", tmp_path).traits.vocabulary == "image"
