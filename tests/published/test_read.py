"""Reading of published numbers: values, splits and broken lines."""

from __future__ import annotations

import csv
import time
from collections import Counter
from pathlib import Path

import pytest

from benchmark.core.split import list_splits, load_split
from benchmark.data.folders.dataset_spec import list_dataset_specs
from benchmark.published.benchmarks import read_benchmarks
from benchmark.published.published_row import PublishedRow
from benchmark.published.read import PUBLISHED, read_published
from tests.published.small_folder import write_folder

ROWS = {row.id: row for row in read_published()}
BENCHMARKS = read_benchmarks(PUBLISHED / "benchmarks.csv")


def read_only(folder: Path, prefix: str) -> PublishedRow:
    (row,) = [row for row in read_published(folder) if row.id.startswith(prefix)]
    return row


def test_every_line_of_the_files_is_read() -> None:
    counts = Counter(name.partition("/")[0] for name in ROWS)
    lines = list(csv.DictReader((PUBLISHED / "openvocab.csv").read_text(encoding="utf-8").splitlines()))
    cells = sum(bool(line[name]) for line in lines for name in line if name in BENCHMARKS)
    assert counts == {"gzss": 143, "openvocab": cells + sum(bool(line["average_of"]) for line in lines)}
    assert (len(lines), counts["openvocab"]) == (95, 752)


def test_a_row_has_what_its_line_says() -> None:
    row = ROWS["gzss/zegclip-voc12-inductive"]
    assert row.printed == {"pixel_accuracy": 94.6, "miou_seen": 91.9, "miou_unseen": 77.8, "hiou": 84.3}
    assert row.recomputed == {"hiou": 84.26} and row.values == row.printed
    assert (row.dataset, row.split, row.year, row.arxiv, row.is_verified) == (
        "voc12",
        "voc12",
        2023,
        "2212.03588",
        True,
    )
    assert (row.traits.setting, row.traits.background, row.traits.backbone) == (
        "inductive",
        "excluded",
        "CLIP ViT-B/16",
    )


def test_a_number_of_an_open_vocabulary_line_is_a_row() -> None:
    row = ROWS["openvocab/naclip-clip-vit-b-16-voc20"]
    assert (row.printed, row.split, row.benchmark, row.traits.background) == (
        {"miou": 79.7},
        "voc12",
        "VOC20",
        "excluded",
    )
    assert (row.source_names, row.repository, row.source_commit) == (("OV-Stitcher",), "atw617/OV-Stitcher", "270b85a")


def test_a_misprint_is_kept_as_printed_and_its_value_is_the_recomputed_one() -> None:
    row = ROWS["gzss/strict-coco-stuff164k-transductive"]
    assert (row.printed["hiou"], row.values["hiou"], row.stated["hiou"]) == (34.8, 32.61, 34.8)


def test_a_misprint_without_a_better_number_is_no_value() -> None:
    row = ROWS["openvocab/sfp-clip-vit-b-16-voc21"]
    assert (row.printed, row.values) == ({"miou": 62.9}, {})


def test_a_number_computed_here_is_not_printed() -> None:
    row = ROWS["gzss/cascade-clip-voc12-inductive"]
    assert "hiou" not in row.printed and row.values["hiou"] == 87.49
    assert row.spread == {"miou_seen": 1.0, "miou_unseen": 1.0}
    derived = ROWS["gzss/clip-zss-voc12-inductive"]
    assert (derived.printed, derived.values, derived.is_verified) == ({}, {"hiou": 86.5}, False)


def test_an_oracle_and_adaptation_are_traits() -> None:
    assert ROWS["openvocab/openworldsam-sam-2-l-ade"].traits.vocabulary == "image"
    assert ROWS["openvocab/conceptbank-gt-support-masks-sam-3-pe-l-plus-14-ade"].traits.target_images == "masks"


def test_only_splits_with_the_same_classes_have_our_names() -> None:
    ours = {benchmark.split for benchmark in BENCHMARKS.values()} & {*list_splits()}
    assert ours == {
        "voc12",
        "coco_stuff164k",
        "pascal_context59",
        "pascal_context59_cascadeclip",
        "pascal_context33",
        "ade20k_150",
        "ade20k_847",
    }
    for benchmark in BENCHMARKS.values():
        if benchmark.split in ours:
            split = load_split(benchmark.split)
            assert (benchmark.dataset, benchmark.background) == (split.dataset, split.background)


@pytest.mark.parametrize(
    ("benchmark", "unseen"),
    [
        ("VOC 2012", "pottedplant sheep sofa train tvmonitor"),
        (
            "COCO-Stuff",
            "cow giraffe suitcase frisbee skateboard carrot scissors cardboard clouds grass playingfield river road "
            "tree wall-concrete",
        ),
        ("Context 49/10", "cow motorbike sofa cat boat fence bird tvmonitor keyboard aeroplane"),
        ("Context 49/10, Cascade-CLIP", "aeroplane bed bedclothes boat bottle car cloth cow keyboard plate"),
        ("Context 29/4", "cow motorbike sofa cat"),
    ],
)
def test_our_split_withholds_the_published_classes(benchmark: str, unseen: str) -> None:
    assert sorted(load_split(BENCHMARKS[benchmark].split).unseen) == sorted(unseen.split())


def test_uncertain_lists_meet_no_other_rows() -> None:
    for name in ("Context 49/10, AlignCLIP", "VOC21 (uncertain)", "PC60 (uncertain)"):
        assert [other for other, one in BENCHMARKS.items() if one.split == BENCHMARKS[name].split] == [name]


def test_datasets_are_ours_or_unknown_to_us() -> None:
    others = {"coco_object", "cityscapes", "pascal_context459", "several"}
    assert {benchmark.dataset for benchmark in BENCHMARKS.values()} == others | {*list_dataset_specs()}


def test_reading_takes_little_time() -> None:
    times = []
    for _ in range(5):
        start = time.process_time()
        read_published()
        times.append(time.process_time() - start)
    assert min(times) < 0.1  # 0.025 on the machine where it was written


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"miou_seen": "9O.0"}, "column miou_seen: '9O.0' is no score: write 84.3, 84.3±0.5, or (84.3)"),
        ({"miou_seen": "190.0"}, "column miou_seen: '190.0' is above 100"),
        ({"benchmark": "VOC2012"}, "column benchmark: no value 'VOC2012'; did you mean 'VOC 2012'?"),
        ({"setting": "inductiv"}, "column setting: setting='inductiv': expected"),
        ({"year": "24"}, "column year: year=24: expected a number of at least 2000"),
        ({"year": ""}, "column year: the cell is empty"),
        ({"source": ""}, "column source: the cell is empty"),
        ({"arxiv": "2403"}, "column arxiv: arxiv='2403': expected a text that matches"),
        ({"is_verified": "maybe"}, "column is_verified: no value 'maybe'"),
        ({"how_read": "memory"}, "column is_verified: 'yes' does not fit how_read 'memory'"),
        ({"how_read": "dream"}, "column how_read: 'dream' is none of full text, README"),
        ({"misprint": "hiou"}, "column misprint: 'hiou' is not COLUMN: REASON"),
        ({"misprint": "miou: too high"}, "column misprint: 'miou: too high' is not COLUMN: REASON"),
    ],
)
def test_a_broken_line_is_one_line_with_file_line_and_column(
    changes: dict[str, str], problem: str, tmp_path: Path
) -> None:
    folder = write_folder(tmp_path, gzss=changes)
    with pytest.raises(ValueError, match=r"gzss\.csv, line 2, column ") as raised:
        read_published(folder)
    assert problem in str(raised.value) and "\n" not in str(raised.value)


def test_a_row_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, others=({}, {}))
    with pytest.raises(ValueError, match="line 3, column method: 'Second' is there twice on VOC20"):
        read_published(folder)


def test_an_unknown_or_missing_column_is_refused(tmp_path: Path) -> None:
    path = write_folder(tmp_path) / "gzss.csv"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("miou_seen", "miou_sen", 1), encoding="utf-8")
    with pytest.raises(ValueError, match=r"gzss.csv, line 1: column 'miou_seen' is missing"):
        read_published(tmp_path)
    path.write_text(text.replace("note\n", "note,\n", 1), encoding="utf-8")
    with pytest.raises(ValueError, match=r"gzss\.csv, line 1: no column ''"):
        read_published(tmp_path)


def test_an_average_needs_the_name_of_its_benchmarks(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, others=({"average_of": ""},))
    with pytest.raises(ValueError, match="column average_of: no value ''"):
        read_published(folder)


def test_an_average_without_all_its_numbers_is_not_recomputed(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, others=({"City": ""},))
    row = next(row for row in read_published(folder) if row.is_average)
    assert (row.printed, row.recomputed, row.averaged) == ({"miou": 36.0}, {}, ())
    assert read_only(folder, "gzss").recomputed == {"hiou": 72.0}
