"""Plan cache: an unchanged study gets the same plan without being resolved; a changed one is resolved again."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from benchmark.core.plan import PlannedStudy
from benchmark.core.split import SPLITS, load_split
from benchmark.core.study import Study
from benchmark.planning import plan_cache
from benchmark.planning.expand import expand
from benchmark.planning.plan_cache import plan_study
from benchmark.planning.resolve import compute_fingerprint
from benchmark.store.environment import PACKAGES
from benchmark.store.store import Store
from tests.data.trees import save_image, save_mask, write

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "tests" / "cli" / "tiny_method.py"
HEAVY = {"lightning_fabric", "open_clip", "segmentation_models_pytorch", "timm", "torch", "torchvision"}
COMMAND = """
import sys
from benchmark.cli import main
try:
    main(sys.argv[1:])
finally:
    print("imported:", *sys.modules, file=sys.stderr)
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


@pytest.fixture
def resolved(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the studies that were resolved."""
    names: list[str] = []

    def record(study: Study, *, place: str | None = None) -> PlannedStudy:
        names.append(study.name)
        return expand(study, place=place)

    monkeypatch.setattr("benchmark.planning.expand.expand", record)
    return names


def _study(**changes: object) -> Study:
    fields = {"name": "tiny", "title": "Tiny", "split": "toybox", "seeds": [3, 1], "rows": [str(TINY)]}
    return Study.model_validate(fields | changes)


def _write_voc(folder: Path) -> str:
    """Write a VOC with one image per subset and return the path of a split for it."""
    for subset, list_name in (("train_aug", "train.txt"), ("val", "val.txt")):
        write(folder / "VOC2012" / list_name, subset.encode())
        save_image(folder / "VOC2012" / "JPEGImages" / f"{subset}.jpg", size=(8, 8))
        save_mask(folder / "VOC2012" / "SegmentationClassAug" / f"{subset}.png", np.zeros((8, 8), int), palette=True)
    split = load_split("voc12").model_dump(mode="json") | {"images": {}}
    write(folder / "mine.yaml", yaml.safe_dump(split).encode())
    return str(folder / "mine.yaml")


def _copy(source: Path, target: Path) -> str:
    target.write_bytes(source.read_bytes())
    return str(target)


def _append(path: str, text: str) -> None:
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(text)


def test_an_unchanged_study_is_the_same_plan_and_not_resolved_again(store: Store, resolved: list[str]) -> None:
    study = _study(rows=[str(TINY), {"method": str(TINY), "set": {"scale": 0.5}}])
    first, second = plan_study(study, store), plan_study(study, store)
    assert first == second == expand(study)
    assert second.specs == expand(study).specs
    assert resolved == ["tiny"] and store.read_plan("tiny") == second.plan


def test_an_unchanged_study_is_planned_without_torch(store: Store) -> None:
    plan_study(_study(name="mine", rows=["chimera_seg", "spnet"]), store)
    path = store.root.parent / "mine.yaml"
    path.write_text("title: Tiny\nsplit: toybox\nseeds: [3, 1]\nrows: [chimera_seg, spnet]\n")
    command = [sys.executable, "-c", COMMAND, "--runs", str(store.root), "plan", str(path)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "4 missing" in result.stdout
    assert not set(result.stderr.partition("imported:")[2].split()) & HEAVY


@pytest.mark.parametrize(
    "changes",
    [
        {"seeds": [1, 3]},
        {"title": "Other"},
        {"max_images": 5},
        {"set": {"scale": 1}},
        {"set": {"scale": 1.0}},
        {"set": {"budget.iterations": 3, "scale": 0.5}},
        {"rows": [{"method": str(TINY), "set": {"budget.iterations": 3, "scale": 0.5}}]},
        {"rows": [{"method": str(TINY), "set": {"scale": 0.5, "budget.iterations": 3}}]},
    ],
)
def test_a_changed_study_is_resolved_again(store: Store, resolved: list[str], changes: dict[str, object]) -> None:
    plan_study(_study(), store)
    assert plan_study(_study(**changes), store) == expand(_study(**changes))
    assert len(resolved) == 2


@pytest.mark.parametrize("name", ["compute_code_digest", "list_package_versions", "platform.python_version"])
def test_other_code_python_or_packages_cause_a_new_plan(
    store: Store, resolved: list[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    plan_study(_study(), store)
    monkeypatch.setattr(f"benchmark.planning.plan_cache.{name}", lambda: "other")
    plan_study(_study(), store)
    assert len(resolved) == 2


def test_an_edited_method_file_causes_a_new_plan(store: Store, resolved: list[str], tmp_path: Path) -> None:
    method = _copy(TINY, tmp_path / "mine.py")
    before = plan_study(_study(rows=[method]), store)
    _append(method, "EDITED = True\n")
    assert plan_study(_study(rows=[method]), store).plan.ids != before.plan.ids


def test_an_edited_split_causes_a_new_plan(store: Store, tmp_path: Path) -> None:
    split = _copy(SPLITS / "toybox.yaml", tmp_path / "mine.yaml")
    before = plan_study(_study(split=split), store)
    _append(split, "background: excluded\n")
    assert plan_study(_study(split=split), store).plan.ids != before.plan.ids


def test_notes_of_a_split_are_no_part_of_its_runs(store: Store, tmp_path: Path) -> None:
    split = _copy(SPLITS / "toybox.yaml", tmp_path / "mine.yaml")
    before = plan_study(_study(split=split), store)
    _append(split, "note: edited\n")
    assert plan_study(_study(split=split), store).plan.ids == before.plan.ids


def test_an_edited_neighbor_of_a_method_file_causes_a_new_plan(
    store: Store, resolved: list[str], tmp_path: Path
) -> None:
    method, helper = _copy(TINY, tmp_path / "mine.py"), tmp_path / "helper.py"
    helper.write_text("VALUE = 1\n")
    _append(method, "import helper\n")
    before = [plan_study(_study(rows=[method]), store).plan.ids for _ in range(2)]
    helper.write_text("VALUE = 2\n")
    after = plan_study(_study(rows=[method]), store).plan.ids
    assert before[0] == before[1] != after and len(resolved) == 2


def test_an_edited_protocol_behind_another_causes_a_new_plan(store: Store, tmp_path: Path) -> None:
    base = _copy(SPLITS / "protocols" / "plain.yaml", tmp_path / "base.yaml")
    (tmp_path / "mine.yaml").write_text(f"like: {base}\n")
    before = plan_study(_study(protocol=str(tmp_path / "mine.yaml")), store)
    _append(base, "antialias: false\n")
    assert plan_study(_study(protocol=str(tmp_path / "mine.yaml")), store).plan.ids != before.plan.ids


def test_an_edited_file_of_prompts_causes_a_new_plan(
    store: Store, resolved: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_cache, "SPLITS", tmp_path)
    (tmp_path / "prompts.txt").write_text("a {}\n")
    plan_study(_study(), store)
    (tmp_path / "prompts.txt").write_text("the {}\n")
    plan_study(_study(), store)
    assert len(resolved) == 2


def test_other_images_cause_a_new_plan(
    store: Store, resolved: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHIMERA_BENCH_DATA", str(tmp_path))
    monkeypatch.setenv("CHIMERA_BENCH_CACHE", str(tmp_path / "cache"))
    study = _study(split=_write_voc(tmp_path))
    before = plan_study(study, store)
    assert plan_study(study, store) == before and len(resolved) == 1
    mask = np.full((8, 8), 255)
    save_mask(tmp_path / "VOC2012" / "SegmentationClassAug" / "val.png", mask, palette=True)
    compute_fingerprint.cache_clear()  # like in another process
    assert plan_study(study, store).plan.ids != before.plan.ids


def test_a_missing_method_file_is_named(store: Store, tmp_path: Path) -> None:
    method = _copy(TINY, tmp_path / "mine.py")
    plan_study(_study(rows=[method]), store)
    Path(method).unlink()
    with pytest.raises(KeyError, match=r"study 'tiny', row 1 .*no method file"):
        plan_study(_study(rows=[method]), store)


def test_the_versions_of_all_packages_that_a_method_file_may_import_are_compared() -> None:
    outside = plan_cache.KNOWN_IMPORTS - sys.stdlib_module_names - {"benchmark", "methods"}
    owners = packages_distributions()
    installed = {owner.lower().replace("_", "-") for name in outside for owner in owners.get(name, ())}
    assert installed <= set(PACKAGES)


@pytest.mark.parametrize("line", ["import yaml", "from tests.report import world"])
def test_a_study_is_resolved_every_time_if_a_method_file_imports_unknown_modules(
    store: Store, resolved: list[str], tmp_path: Path, line: str
) -> None:
    method = _copy(TINY, tmp_path / "mine.py")
    _append(method, f"def later():\n    {line}\n")
    for _ in range(2):
        plan_study(_study(rows=[method]), store)
    assert len(resolved) == 2


def test_a_study_is_resolved_every_time_if_a_config_names_a_file(
    store: Store, resolved: list[str], tmp_path: Path
) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "clip.pt")
    study = _study(rows=["maskclip"], set={"clip.weights": str(tmp_path / "clip.pt")})
    first = plan_study(study, store)
    torch.save({"a": torch.ones(1)}, tmp_path / "clip.pt")
    assert plan_study(study, store).plan.ids != first.plan.ids
    plan_study(study, store)
    assert len(resolved) == 3


def test_a_file_that_appears_under_a_name_in_a_config_causes_a_new_plan(
    store: Store, resolved: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plan_study(_study(rows=["maskclip"]), store)
    (tmp_path / "toy").write_text("weights with the name of the included ones")
    plan_study(_study(rows=["maskclip"]), store)
    assert len(resolved) == 2


def test_a_broken_memo_is_ignored(store: Store, resolved: list[str]) -> None:
    first = plan_study(_study(), store)
    memo = store.root / "plans" / "tiny.memo"
    memo.write_bytes(memo.read_bytes()[:-9])
    assert plan_study(_study(), store) == first == plan_study(_study(), store)
    assert len(resolved) == 2


def test_a_memo_is_not_listed_as_a_plan(store: Store) -> None:
    plan_study(_study(), store)
    assert store.list_plans() == ["tiny"]


def test_nothing_is_written_if_the_plan_is_not_kept(store: Store) -> None:
    assert plan_study(_study(), store, keep=False).plan.study == "tiny"
    assert not store.root.exists()


def test_an_edited_split_of_a_row_causes_a_new_plan(tmp_path: Path, store: Store, resolved: list[str]) -> None:
    other = _copy(SPLITS / "toybox.yaml", tmp_path / "other.yaml")
    study = _study(rows=[str(TINY), {"method": str(TINY), "split": other}])
    assert plan_study(study, store) == plan_study(study, store)
    (tmp_path / "other.yaml").write_text((SPLITS / "toybox_tune.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    assert plan_study(study, store).specs[-1].split_digest == load_split(other).digest()
    assert resolved == ["tiny", "tiny"]


def test_an_unchanged_sweep_is_not_resolved_again(store: Store, resolved: list[str]) -> None:
    study = _study(sweep={"scale": [0.5, 2.0]})
    assert plan_study(study, store) == plan_study(study, store)
    plan_study(_study(sweep={"scale": [0.5, 3.0]}), store)
    assert resolved == ["tiny", "tiny"]


def test_a_memo_that_cannot_be_written_is_left_out(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, text: str) -> None:
        raise OSError(f"cannot write {path}")

    monkeypatch.setattr("benchmark.planning.plan_cache.write_text", refuse)
    plan_study(_study(), store)
    assert store.list_plans() == ["tiny"] and not list(store.root.rglob("*.memo"))
