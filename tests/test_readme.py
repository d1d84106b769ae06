"""The README: its example of a method, and the files it links to."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmark.contract.check import check_variant, make_subjects
from benchmark.contract.rule import RuleState
from benchmark.core.run_state import RunState
from benchmark.core.split import load_split
from benchmark.evaluation.scores import Scores, score
from benchmark.execution.runner import execute
from benchmark.planning.registry import describe_method, load_recipe
from benchmark.planning.resolve import resolve
from benchmark.store.store import Store
from methods.blocks import ClipConfig
from tests.methods.cases import SPLIT, prediction_batch

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
(CODE,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)

VARIANTS = ("patch adapter", "3x3 window")


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Path of the example as a method file."""
    file = tmp_path_factory.mktemp("readme") / "patch_adapter.py"
    file.write_text(CODE, encoding="utf-8")
    return str(file)


@cache
def _run(case: str, folder: Path, *, iterations: int) -> Scores:
    """Train briefly and score on a few images."""
    overrides = {"budget.iterations": iterations}
    spec = resolve(case, split=SPLIT.name, seed=0, overrides=overrides, max_images=20)
    store = Store(folder / "runs")
    record = execute(spec, store=store)
    assert record.failure is None
    assert record.state == RunState.DONE
    return score(store.run(spec.id).read_counts(), "d2-main")


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_example_scores_above_chance_on_seen_and_unseen_classes(variant: str, example: str, tmp_path: Path) -> None:
    chance = 100 / len(SPLIT.classes)  # an upper bound: random labels also predict classes that are not there
    scores = _run(f"{example}/{variant}", tmp_path, iterations=20)
    assert scores.miou_seen > 2 * chance
    assert scores.miou_unseen > 2 * chance


def test_training_improves_the_example_on_seen_classes(example: str, tmp_path: Path) -> None:
    untrained, trained = (_run(example, tmp_path, iterations=count) for count in (1, 20))
    assert trained.miou_seen > untrained.miou_seen + 1


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_example_keeps_the_contract_and_has_no_leaks(variant: str, example: str) -> None:
    (subject,) = make_subjects(f"{example}/{variant}")
    outcomes = check_variant(subject)
    assert [outcome for outcome in outcomes if outcome.state in (RuleState.BROKEN, RuleState.NOT_CHECKED)] == []


def test_the_example_can_be_built_for_a_real_split(example: str) -> None:
    recipe, split = load_recipe(example), load_split("voc12")
    config: Any = next(iter(recipe.variants.values()))
    tiny = ClipConfig(model="toy-ViT-8", weights="random")
    method = recipe.build(config.model_copy(update={"clip": tiny}), recipe.make_train_split(split))
    method.set_classes(split.classes)
    with torch.no_grad():
        predictions = method.eval().predict(prediction_batch())
    assert [len(prediction["sem_seg"]) for prediction in predictions] == [20, 20]


def test_the_example_uses_a_real_clip_on_real_splits(example: str) -> None:
    recipe = load_recipe(example)
    assert {config.clip for config in recipe.variants.values()} == {ClipConfig()}
    assert set(recipe.presets) == {"toybox"}


def test_the_example_can_be_registered(example: str) -> None:
    assert describe_method(example).variants == VARIANTS


def test_the_example_fits_one_screen() -> None:
    assert CODE.count("\n") <= 60


def test_the_example_imports_the_interface_once_and_blocks_at_most_three_times() -> None:
    imported = re.findall(r"^(?:from|import) (benchmark|methods)(\S*)", CODE, flags=re.MULTILINE)
    assert imported.count(("benchmark", ".api")) == 1
    assert {package for package, _ in imported} == {"benchmark", "methods"}
    assert 1 <= sum(package == "methods" for package, _ in imported) <= 3


def test_every_file_that_the_readme_links_to_exists() -> None:
    links = re.findall(r"\]\(([^)h#][^)]*)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link.partition("#")[0]).is_file()] == []


def test_every_heading_that_the_readme_links_to_exists() -> None:
    headings = re.findall(r"^#+ (.*)$", README, flags=re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    links = re.findall(r"\]\(#([^)]*)\)", README)
    assert links and set(links) <= anchors
