"""Resolution of runs: specs are complete before a run starts, and impossible runs are refused in one line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from benchmark.core.method import Config
from benchmark.core.run_spec import RunSpec
from benchmark.core.split import SPLITS, load_split
from benchmark.core.split_file import write_splits
from benchmark.data.catalog import DATASETS
from benchmark.data.toybox.dataset import ToyBox
from benchmark.planning import method_setup
from benchmark.planning.method_setup import find_variant
from benchmark.planning.registry import load_recipe
from benchmark.planning.resolve import build, load_split_of, resolve
from benchmark.utils.method_names import split_method
from tests.engine.runs import METHOD, same_state


def spec(method: str = METHOD, /, **overrides: Any) -> RunSpec:
    dotted = {key.replace("__", "."): value for key, value in overrides.items()}
    return resolve(method, split="toybox", seed=0, overrides=dotted)


def test_presets_of_the_dataset_apply_before_overrides() -> None:
    assert spec().config == {"width": 6, "drop": {"kind": "drop", "rate": 0.2}}
    assert spec(width=5).config["width"] == 5


class _WithoutCaptions(ToyBox):
    read_captions = None


def test_a_method_with_captions_is_refused_on_a_dataset_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DATASETS, "toybox", _WithoutCaptions)
    with pytest.raises(ValueError, match=r"^dataset 'toybox' has no captions, .*, or another method$"):
        spec("pacl")
    assert spec("pacl_sup").method == "pacl_sup"


def test_presets_do_not_change_what_a_variant_changes() -> None:
    assert spec(f"{METHOD}/no drop").config == {"width": 6, "drop": None}
    assert spec(f"{METHOD}/drop 0.5, wide").config == {"width": 8, "drop": {"kind": "drop", "rate": 0.5}}


def test_a_preset_that_fits_no_variant_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = replace(load_recipe(METHOD), presets={"toybox": {"widht": 1}})
    monkeypatch.setattr(method_setup, "load_recipe", lambda name: recipe)
    with pytest.raises(ValueError, match="preset 'widht' for toybox"):
        spec()


def test_a_dotted_key_changes_one_field_of_a_part() -> None:
    assert spec(drop__rate=0.1).config["drop"] == {"kind": "drop", "rate": 0.1}


@pytest.mark.parametrize(("value", "expected"), [(None, None), ({"rate": 0.4}, {"kind": "drop", "rate": 0.4})])
def test_a_part_is_switched_off_or_replaced_as_a_whole(value: object, expected: object) -> None:
    assert spec(drop=value).config["drop"] == expected


def test_a_number_in_quotes_is_no_number() -> None:
    with pytest.raises(ValueError, match=r"budget\.learning_rate='1e-4': expected a number"):
        spec(budget__learning_rate="1e-4")


def test_overrides_are_kept_as_given_and_name_the_run() -> None:
    spec_with_overrides = spec(drop__rate=0.1, budget__iterations=7)
    assert spec_with_overrides.overrides == {"drop.rate": 0.1, "budget.iterations": 7}
    assert "drop.rate=0.1" in spec_with_overrides.id
    assert RunSpec.model_validate_json(spec_with_overrides.canonical()) == spec_with_overrides


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("width", "many", "width='many': expected a whole number"),
        ("drop.kind", "drip", "drop.kind='drip': expected 'drop'"),
        ("drop", {"rat": 1}, "no field 'drop.rat'; did you mean 'drop.rate'? There are: drop.kind, drop.rate"),
        ("width.more", 1, "width.more: width is one value, 6; it has no settings"),
        ("budget.iterations", -1, "budget.iterations=-1: expected a number of at least 0"),
        ("budget.warmup", 2, "budget.warmup=2: expected a number of at most 1"),
        ("budget.precision", "8-bit", "budget.precision='8-bit': expected one of 32-true, bf16-mixed"),
        ("budget.learning_rate", float("nan"), "budget.learning_rate=nan: expected a finite number"),
    ],
)
def test_an_invalid_value_is_answered_with_the_field_and_the_valid_values(
    key: str, value: object, message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        resolve(METHOD, split="toybox", seed=0, overrides={key: value})
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_part_that_is_switched_off_has_no_settings() -> None:
    with pytest.raises(ValueError, match=r"drop\.rate: drop is switched off here; give it as a whole, drop=\{\.\.\.\}"):
        spec(f"{METHOD}/no drop", drop__rate=0.1)


def test_a_part_is_not_given_twice() -> None:
    with pytest.raises(ValueError, match=r"both drop and drop\.rate are given"):
        spec(drop={"rate": 0.1}, drop__rate=0.2)


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("widht", "did you mean 'width'"),
        ("drop.rat", "mean 'drop.rate'"),
        ("budget.iteration", "mean 'budget.iterations'"),
        ("budget.shards", "'budget.shards' is now called 'budget.micro_batches'"),
        ("protocol.train.colour", "'protocol.train.colour' is now called 'protocol.train.color'"),
    ],
)
def test_an_unknown_key_is_answered_with_its_new_name_or_the_nearest(key: str, hint: str) -> None:
    with pytest.raises(KeyError) as caught:
        resolve(METHOD, split="toybox", seed=0, overrides={key: 1})
    assert hint in caught.value.args[0]


def test_variants_match_whatever_their_case_and_spaces() -> None:
    assert spec(f"{METHOD}/NoDrop").variant == "no drop"
    assert spec(f"{METHOD}/no-drop").variant == "no drop"
    assert spec().variant == "Small"
    with pytest.raises(KeyError, match="did you mean 'no drop'"):
        find_variant(load_recipe(METHOD), "no drops", name="small")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("spnet", ("spnet", "")),
        ("spnet/w/o words", ("spnet", "w/o words")),
        ("./a/b.py", ("./a/b.py", "")),
        ("./a/b.py/w/o c", ("./a/b.py", "w/o c")),
    ],
)
def test_method_and_variant_are_separated(text: str, expected: tuple[str, str]) -> None:
    assert split_method(text) == expected


@pytest.mark.parametrize("change", [{"engine": "fabrik"}, {"split": "toyboks"}])
def test_unknown_engines_and_splits_are_key_errors(change: dict) -> None:
    with pytest.raises(KeyError, match="did you mean"):
        resolve(METHOD, **{"split": "toybox", "seed": 0} | change)


def test_a_negative_seed_is_one_line() -> None:
    with pytest.raises(ValueError, match=r"^seed=-1: expected a number of at least 0$"):
        resolve(METHOD, split="toybox", seed=-1)


def test_a_method_is_built_from_its_seed_alone() -> None:
    first_spec, second_spec = spec(), resolve(METHOD, split="toybox", seed=1)
    first = build(first_spec)
    torch.rand(3)
    assert same_state(first, build(first_spec))
    assert not same_state(first, build(second_spec))


def test_a_changed_file_is_not_built(tmp_path: Path) -> None:
    path = tmp_path / "copy.py"
    path.write_text(Path(METHOD).read_text())
    stale_spec = spec(str(path))
    path.write_text(Path(METHOD).read_text() + "EDITED = True\n")
    with pytest.raises(ValueError, match=r"copy\.py changed since this run was planned"):
        build(stale_spec)


def test_a_spec_of_a_changed_split_is_not_built() -> None:
    with pytest.raises(ValueError, match="split 'toybox' changed"):
        build(spec().model_copy(update={"split_digest": "0"}))


def test_a_config_that_json_cannot_represent_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Left(Config):
        size: int = 1

    class Right(Config):
        size: int = 1

    class Either(Config):
        part: Left | Right = Right()

    recipe = replace(load_recipe(METHOD), variants={"either": Either()}, presets={})
    monkeypatch.setattr(method_setup, "load_recipe", lambda name: recipe)
    with pytest.raises(ValueError, match=r"changes when it is written and read as JSON: give parts .* a field kind"):
        spec()


def test_an_override_without_an_effect_is_the_same_run() -> None:
    default = spec(drop__rate=0.2, width=6, budget__batch_size=spec().budget.batch_size, protocol__gamma=0.0)
    assert default == spec() and default.overrides == {}
    assert spec(width=7).id != spec().id


def test_an_override_that_makes_another_variant_is_a_run_of_that_variant() -> None:
    assert spec(drop=None) == spec(f"{METHOD}/no drop")
    assert spec(drop=None, width=7) != spec(f"{METHOD}/no drop")


def test_the_spelling_of_a_path_is_no_part_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mine.py"
    path.write_text(Path(METHOD).read_text())
    (tmp_path / "mine.yaml").write_text((SPLITS / "toybox.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    folders = ("", "./", "~/", f"{tmp_path}/")
    specs = [resolve(f"{folder}mine.py", split=f"{folder}mine.yaml", seed=0) for folder in folders]
    assert len({one.id for one in specs}) == 1
    assert {(one.split, one.method) for one in specs} == {("mine", "mine")}


def test_runs_of_a_method_file_are_shared_between_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("mine", "yours"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "small.py").write_text(Path(METHOD).read_text())
    mine, yours = (spec(str(tmp_path / name / "small.py")) for name in ("mine", "yours"))
    assert mine.id == yours.id and mine.source != yours.source
    Path(mine.source).unlink()
    with pytest.raises(ValueError, match=r"no method file .*small\.py: go to the folder"):
        build(mine)
    monkeypatch.chdir(tmp_path / "yours")
    assert same_state(build(mine), build(yours))


def test_a_drawn_split_needs_no_file_of_its_own(tmp_path: Path) -> None:
    name = "toybox@3-s0-02"
    run = resolve(METHOD, split=name, seed=0)
    assert (run.split, run.split_source, run.unseen) == (name, "", load_split(name).unseen)
    assert load_split_of(run).unseen == run.unseen and "toybox-3-s0-02" in run.id
    write_splits([load_split(name)], tmp_path)
    assert resolve(METHOD, split=f"{tmp_path}/{name}.yaml", seed=0).id == run.id


def test_a_split_drawn_from_a_file_is_found_next_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = tmp_path / "mine.yaml"
    base.write_text((SPLITS / "toybox.yaml").read_text())
    run = resolve(METHOD, split=f"{base}@3-s0-02", seed=0)
    assert (run.split, run.split_source) == ("mine@3-s0-02", f"{base}@3-s0-02")
    (tmp_path / "moved").mkdir()
    base.rename(tmp_path / "moved" / "mine.yaml")
    with pytest.raises(ValueError, match=r"no split file .*mine\.yaml: go to the folder that holds mine\.yaml now"):
        load_split_of(run)
    monkeypatch.chdir(tmp_path / "moved")
    assert load_split_of(run).unseen == run.unseen
    assert resolve(METHOD, split="mine.yaml@3-s0-02", seed=0).id == run.id


def test_a_draw_from_a_changed_base_is_refused(tmp_path: Path) -> None:
    base = tmp_path / "mine.yaml"
    base.write_text((SPLITS / "toybox.yaml").read_text())
    run = resolve(METHOD, split=f"{base}@3-s0-02", seed=0)
    fields = yaml.safe_load(base.read_text())
    base.write_text(yaml.safe_dump(fields | {"kinds": {}, "never_unseen": [run.unseen[0]]}))
    with pytest.raises(ValueError, match="split 'mine@3-s0-02' changed since this run was planned"):
        load_split_of(run)


def test_the_names_of_unseen_classes_are_no_part_of_the_identity_of_a_run() -> None:
    run = resolve(METHOD, split="toybox", seed=0)
    assert run.unseen and run.model_copy(update={"unseen": ()}).digest() == run.digest()


def test_an_included_method_may_be_given_by_its_file() -> None:
    assert resolve("methods/spnet.py", split="splits/toybox.yaml", seed=0) == resolve("spnet", split="toybox", seed=0)


def test_a_spec_whose_defaults_changed_is_not_built() -> None:
    identity = spec(width=7).config_identity
    with pytest.raises(ValueError, match="defaults of 'small_method' changed since this run was planned"):
        build(spec().model_copy(update={"config_identity": identity}))
