"""Protocols: the included files, their fields by dataset, and errors in files."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.core.protocol import Protocol, RatioRange, ShortSides, list_protocols, load_protocol
from benchmark.core.split import list_splits, load_split

SETS = ("toybox", "voc12", "coco_stuff164k", "pascal_context", "ade20k_150", "ade20k_847")


@pytest.mark.parametrize("name", list_protocols())
@pytest.mark.parametrize("dataset", SETS)
def test_every_protocol_is_valid_on_every_dataset_and_names_its_source(name: str, dataset: str) -> None:
    protocol = load_protocol(name, dataset=dataset)
    assert protocol.name == name and protocol.source


@pytest.mark.parametrize("name", list_splits())
def test_every_split_names_a_protocol_that_exists(name: str) -> None:
    split = load_split(name)
    assert load_protocol(split.protocol, dataset=split.dataset).name == split.protocol


def test_zegclip_trains_like_mmsegmentation_and_scores_by_sliding() -> None:
    protocol = load_protocol("zegclip", dataset="voc12")
    assert protocol.train.resize == RatioRange(short_side=512, long_side=2048, low=0.5, high=2)
    assert (protocol.train.crop, protocol.train.largest_share, protocol.gamma) == (512, 0.75, 0.1)
    assert protocol.test.model_dump() == {"short_side": 512, "longest": 0, "window": 512, "stride": 426}


def test_fields_for_one_dataset_do_not_affect_the_others() -> None:
    voc, coco = (load_protocol("zegclip", dataset=name) for name in ("voc12", "coco_stuff164k"))
    assert voc.prompts is not None and coco.prompts is not None
    assert (len(voc.prompts.templates), len(coco.prompts.templates)) == (1, 15)
    assert voc.schedule is not None and coco.schedule is not None
    assert (voc.schedule.iterations, coco.schedule.iterations) == (20_000, 80_000)


def test_tables_within_tables_are_merged() -> None:
    resize = load_protocol("zsseg", dataset="coco_stuff164k").train.resize
    assert isinstance(resize, ShortSides)
    assert (resize.sides[0], resize.sides[-1], resize.longest) == (320, 960, 2560)


def test_a_protocol_may_start_from_another_one() -> None:
    base, changed = (load_protocol(name, dataset="voc12") for name in ("zegclip", "zegclip-transductive"))
    changes = {"name": changed.name, "setting": changed.setting, "gamma": 0.0, "source": changed.source}
    assert changed == base.model_copy(update=changes) and changed.setting == "transductive, unseen located"


def test_a_protocol_that_is_like_itself_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"like: {path}", encoding="utf-8")
    with pytest.raises(ValueError, match="'mine' is like itself"):
        load_protocol(str(path), dataset="voc12")


def test_zsseg_drops_images_without_a_seen_class_and_zegclip_keeps_them() -> None:
    rules = {name: load_protocol(name, dataset="voc12").train_images for name in ("zsseg", "zegclip", "zs3")}
    assert rules == {"zsseg": "labeled", "zegclip": "all", "zs3": "without unseen"}


def test_a_misspelled_protocol_is_answered_with_the_nearest() -> None:
    with pytest.raises(KeyError, match="no protocol 'zegclp'; did you mean 'zegclip'"):
        load_protocol("zegclp", dataset="voc12")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gama: 0.1", "no field 'gama'; did you mean 'gamma'"),
        ("gamma: 0.123", "multiple of 0.01"),
        ("test: {window: 8}", "stride is 0, expected 1 to 8"),
        ("train: {resize: {kind: ratio, short_side: 8, long_side: 8, low: 2}}", "low is 2.0, above high"),
        ("prompts: {templates: nowhere}", "no file of prompts 'nowhere'"),
        ("prompts: {templates: [no name]}", "needs exactly one {}"),
        ("like: nothing", "no protocol 'nothing'"),
        ("- a\n- list", "not a valid protocol: expected a table (key: value), found a list"),
        ("train: {colour: none}", "'colour' is now called 'color'"),
        ("prompts: {wording: {}}", "'wording' is now called 'aliases'"),
        ("setting: [", "not a valid protocol"),
        ("datasets: [voc12]", "datasets=['voc12']: expected a table of fields by dataset"),
        ("datasets: {voc12: 3}", "datasets.voc12=3: expected a table of fields"),
        ("like: 3", "like=3: expected the name or file of a protocol"),
    ],
)
def test_an_error_in_a_protocol_is_reported_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError) as caught:
        load_protocol(str(path), dataset="voc12")
    assert str(path) in str(caught.value) and message in str(caught.value) and "\n" not in str(caught.value)


def test_the_description_of_a_protocol_names_setting_transforms_and_prompts() -> None:
    words = load_protocol("zegclip", dataset="coco_stuff164k").describe()
    assert words == (
        "inductive, training on all images, 512x512 crops at 0.5 to 2 times short side 512, "
        "test images at short side 512, windows of 512 every 426 pixels, 15 prompts"
    )
    assert Protocol().describe() == "inductive, training on all images, whole images, test images at their own size"
