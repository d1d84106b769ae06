"""Included splits, prompts and aliases, compared with the published ones."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import open_clip
import pytest
import yaml

from benchmark.core.prompts import FOLDER, read_aliases, read_templates
from benchmark.core.protocol import list_protocols
from benchmark.core.split import Split, list_splits, load_split
from benchmark.data.folders.dataset_spec import list_dataset_specs, load_dataset_spec

SHARED = Path(__file__).resolve().parents[3] / "shared" / "splits"
REAL = [name for name in list_splits() if load_split(name).dataset in list_dataset_specs()]
ZS3 = [load_split(f"voc12_zs3_{count}") for count in (2, 4, 6, 8, 10)]


@pytest.fixture(params=REAL)
def split(request: pytest.FixtureRequest) -> Split:
    return load_split(request.param)


def published(dataset: str) -> dict[str, Any]:
    path = SHARED / f"{dataset}.yaml"
    if not path.is_file():
        pytest.skip(f"{path.name} of the published splits is missing")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("name", "seen", "unseen"),
    [
        ("voc12", 15, 5),
        ("coco_stuff164k", 156, 15),
        ("pascal_context59", 49, 10),
        ("pascal_context59_cascadeclip", 49, 10),
        ("pascal_context33", 29, 4),
        ("ade20k_150", 135, 15),
        ("ade20k_847", 572, 275),
    ],
)
def test_a_split_has_as_many_classes_as_published(name: str, seen: int, unseen: int) -> None:
    assert (len(load_split(name).seen), len(load_split(name).unseen)) == (seen, unseen)


def test_no_class_is_withheld_twice_and_seen_and_unseen_make_up_the_whole(split: Split) -> None:
    assert len(set(split.unseen)) == len(split.unseen)
    assert sorted([*split.seen, *split.unseen]) == sorted(split.classes)


def test_every_class_belongs_to_its_dataset(split: Split) -> None:
    assert set(split.classes) <= set(load_dataset_spec(split.dataset).classes)


@pytest.mark.parametrize("name", sorted({*REAL} - {"pascal_context33"}))  # has another order
def test_classes_have_the_order_of_their_dataset(name: str) -> None:
    split = load_split(name)
    ordered = [name for name in load_dataset_spec(split.dataset).classes if name in split.classes]
    assert list(split.classes) == ordered


def test_a_split_treats_background_if_and_only_if_its_dataset_labels_it(split: Split) -> None:
    assert (split.background != "none") == ("background" in load_dataset_spec(split.dataset).classes)


def test_coco_stuff_has_80_things_before_91_kinds_of_stuff_as_published() -> None:
    split = load_split("coco_stuff164k")
    assert split.kinds == {"stuff": split.classes[80:], "things": split.classes[:80]}
    assert (split.classes[79], split.classes[80], len(split.kinds["stuff"])) == ("toothbrush", "banner", 91)


def test_subsets_and_protocol_exist(split: Split) -> None:
    assert {split.train, split.evaluate} <= set(load_dataset_spec(split.dataset).image_counts)
    assert split.protocol in list_protocols()


def test_both_subsets_have_an_expected_size_within_the_dataset(split: Split) -> None:
    counts = load_dataset_spec(split.dataset).image_counts
    assert set(split.images) == {split.train, split.evaluate}
    assert all(split.images[subset] <= counts[subset] for subset in split.images)


@pytest.mark.parametrize("name", ["voc12", "coco_stuff164k", "ade20k_847", "ade20k_150"])
def test_names_and_order_are_the_published_ones(name: str) -> None:
    facts, split = published(name), load_split(name)
    assert [name.strip() for name in facts["classes"]] == list(split.classes)
    assert {name.strip() for name in facts["unseen"]} == set(split.unseen)
    assert facts["unseen_idx"] == [index for index, is_seen in enumerate(split.is_seen) if not is_seen]


def test_context_withholds_the_ten_of_zs3net() -> None:
    facts, split = published("pascal_context"), load_split("pascal_context59")
    assert facts["classes"] == list(split.classes)
    assert set(facts["unseen_order_zs3net"]) == set(split.unseen)


def test_cascadeclip_withholds_other_classes_of_context_and_the_split_warns_about_it() -> None:
    split, usual = load_split("pascal_context59_cascadeclip"), load_split("pascal_context59")
    ids = (0, 2, 3, 7, 9, 13, 17, 19, 31, 37)
    assert split.unseen == tuple(split.classes[index] for index in ids)
    assert set(split.unseen) & set(usual.unseen) == {"aeroplane", "boat", "cow", "keyboard"}
    assert "never put a row" in split.note


def test_context33_uses_the_names_of_the_dataset() -> None:
    split = load_split("pascal_context33")
    assert set(split.unseen) == {"cow", "motorbike", "sofa", "cat"}
    assert {"table", "pottedplant", "tvmonitor"} <= set(split.seen)


def test_coco_stuff_withholds_the_published_values_of_its_masks() -> None:
    values = {
        label: value for value, label in load_dataset_spec("coco_stuff164k").mask_encodings["raw"].map_values().items()
    }
    split = load_split("coco_stuff164k")
    withheld = sorted(values[split.classes.index(name)] for name in split.unseen)
    assert withheld == [20, 24, 32, 33, 40, 56, 86, 99, 105, 123, 144, 147, 148, 168, 171]


def test_ade20k_847_withholds_the_rare_classes() -> None:
    frequency = published("ade20k_847")["frequency"]
    assert [value == "r" for value in frequency] == [not is_seen for is_seen in load_split("ade20k_847").is_seen]


def test_lists_of_zs3net_are_nested() -> None:
    assert [len(split.unseen) for split in ZS3] == [2, 4, 6, 8, 10]
    assert all(more.unseen[: len(fewer.unseen)] == fewer.unseen for fewer, more in pairwise(ZS3))
    assert [" ".join(split.unseen[-2:]) for split in ZS3] == [
        "cow motorbike", "aeroplane sofa", "cat tvmonitor", "train bottle", "chair pottedplant"
    ]  # fmt: skip


@pytest.mark.parametrize("split", ZS3, ids=lambda split: split.name)
def test_zs3net_scores_background_as_the_first_class(split: Split) -> None:
    assert split.classes[0] == "background" and split.background == "class" and len(split.classes) == 21


LINES = {
    "single": 1,
    "single-period": 1,
    "zegclip15": 15,
    "vild14": 14,
    "imagenet80": 80,
    "zegformer8": 8,
    "zegformer-clip32": 32,
    "scene": 1,
    "otseg-voc6": 6,
    "otseg8": 8,
    "sculpture": 1,
    "origami": 1,
}


def test_every_list_of_prompts_has_as_many_templates_as_published() -> None:
    assert {path.stem: len(read_templates(path.stem)) for path in (FOLDER / "prompts").glob("*.txt")} == LINES


@pytest.mark.parametrize("name", LINES)
def test_every_template_takes_one_name_and_is_unique(name: str) -> None:
    templates = read_templates(name)
    assert all(template.count("{}") == 1 and template == template.strip() for template in templates)
    assert len(set(templates)) == len(templates)


def test_imagenet80_is_the_list_of_open_clip() -> None:
    assert read_templates("imagenet80") == tuple(template("{}") for template in open_clip.OPENAI_IMAGENET_TEMPLATES)


@pytest.mark.parametrize(
    ("name", "with_period"),
    [
        ("single", 0),
        ("single-period", 1),
        ("zegclip15", 15),
        ("vild14", 10),
        ("imagenet80", 80),
        ("zegformer8", 7),
        ("zegformer-clip32", 4),
        ("scene", 0),
        ("otseg-voc6", 6),
        ("otseg8", 8),
        ("sculpture", 1),
        ("origami", 1),
    ],
)
def test_periods_are_those_published(name: str, with_period: int) -> None:
    assert sum(template.endswith(".") for template in read_templates(name)) == with_period


def test_similar_lists_of_prompts_are_distinguished() -> None:
    assert read_templates("single") == ("a photo of a {}",)
    assert read_templates("single-period") == ("a photo of a {}.",)
    assert read_templates("sculpture") == ("a sculpture of a {}.",)
    assert read_templates("origami") == ("a clean origami {}.",)
    assert read_templates("scene") == ("A photo of a {} in the scene",) == read_templates("zegformer8")[-1:]
    assert read_templates("otseg-voc6") == read_templates("otseg8")[:6]


@pytest.mark.parametrize(
    ("name", "dataset", "texts"),
    [
        ("zegformer-voc", "voc12", {"potted plant"}),
        ("spnet-voc", "voc12", {"potted_plant", "tv"}),
        ("otseg-context", "pascal_context", {"tv monitor"}),
        ("zsseg-context", "pascal_context", {"diningtable"}),
        ("cagnet-context", "pascal_context", {"diningtable", "potted_plant", "tv"}),
    ],
)
def test_aliases_replace_names_of_their_dataset(name: str, dataset: str, texts: set[str]) -> None:
    aliases = read_aliases(name)
    assert set(aliases) <= set(load_dataset_spec(dataset).classes) and set(aliases.values()) == texts
