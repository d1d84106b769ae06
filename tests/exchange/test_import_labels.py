"""Tests of imported label maps: their counts against an independent count, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmark.core.protocol_class import ProtocolClass
from benchmark.evaluation.scores import score
from benchmark.exchange.import_labels import import_labels
from benchmark.store.store import Store
from tests.exchange.worlds import CLASSES, add_tiny, make_labels, make_request, read_targets, write_labels


@pytest.fixture
def split(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    return add_tiny(monkeypatch, tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def test_counts_equal_a_count_pixel_by_pixel(split: str, store: Store, tmp_path: Path) -> None:
    labels, targets = make_labels(), read_targets()
    record = import_labels(make_request(write_labels(tmp_path / "p", labels), split), store=store).record
    counts = store.run(record.spec.id).read_counts(record)
    for row, name in enumerate(counts.image_ids):
        for k in range(len(CLASSES)):
            is_scored = targets[name] != 255
            assert counts.target[row, k] == (targets[name] == k).sum()
            assert counts.prediction[row, k] == ((labels[name] == k) & is_scored).sum()
            assert counts.intersection[row, k] == ((labels[name] == k) & (targets[name] == k)).sum()


def test_scores_equal_iou_over_all_pixels_of_the_dataset(split: str, store: Store, tmp_path: Path) -> None:
    labels, targets = make_labels(), read_targets()
    record = import_labels(make_request(write_labels(tmp_path / "p", labels), split), store=store).record
    predicted, truth = (np.concatenate([maps[name].ravel() for name in sorted(maps)]) for maps in (labels, targets))
    predicted, truth = predicted[truth != 255], truth[truth != 255]
    iou = [100 * ((predicted == k) & (truth == k)).sum() / ((predicted == k) | (truth == k)).sum() for k in range(3)]
    scores = score(store.run(record.spec.id).read_counts(record), "d2-main")
    assert scores.iou == pytest.approx(iou)
    assert scores.miou_seen == pytest.approx((iou[0] + iou[2]) / 2) and scores.miou_unseen == pytest.approx(iou[1])


def test_a_pixel_predicted_as_no_class_is_wrong_and_never_left_out(split: str, store: Store, tmp_path: Path) -> None:
    targets = read_targets()
    labels = {name: np.where(target == 255, 0, target).astype(np.uint8) for name, target in targets.items()}
    labels["0"][:] = 255
    record = import_labels(make_request(write_labels(tmp_path / "p", labels), split), store=store).record
    counts, lost = store.run(record.spec.id).read_counts(record), int((targets["0"] != 255).sum())
    assert record.imported is not None and record.imported.no_class_pixels == lost > 0
    assert counts.totals.target.sum() - counts.totals.prediction.sum() == lost
    right = sum(int((target == 0).sum()) for target in targets.values()) - int((targets["0"] == 0).sum())
    total = sum(int((target == 0).sum()) for target in targets.values())
    assert score(counts, "mmseg").iou[0] == pytest.approx(100 * right / total)


def test_the_same_predictions_in_another_format_are_the_same_import(split: str, store: Store, tmp_path: Path) -> None:
    labels = make_labels()
    first = import_labels(make_request(write_labels(tmp_path / "p", labels), split), store=store)
    wide = write_labels(tmp_path / "wide", {name: ids.astype(np.uint16) for name, ids in labels.items()})
    again = import_labels(make_request(wide, split), store=store)
    assert first.is_new and not again.is_new and again.record == first.record
    assert store.list_ids() == [first.record.spec.id]


def test_other_predictions_under_the_same_name_and_seed_are_refused(split: str, store: Store, tmp_path: Path) -> None:
    import_labels(make_request(write_labels(tmp_path / "p", make_labels()), split), store=store)
    other = write_labels(tmp_path / "q", make_labels(seed=1))
    with pytest.raises(
        ValueError, match=r"other predictions are imported as 'Other' with seed 0 already \(from .*/p\)"
    ):
        import_labels(make_request(other, split), store=store)
    assert import_labels(make_request(other, split, seed=1), store=store).is_new


def test_another_description_of_the_same_predictions_is_refused(split: str, store: Store, tmp_path: Path) -> None:
    folder = write_labels(tmp_path / "p", make_labels())
    import_labels(make_request(folder, split), store=store)
    with pytest.raises(ValueError, match="supervision 'none' instead of 'seen_masks'"):
        import_labels(make_request(folder, split, supervision="seen_masks"), store=store)


def test_missing_images_are_counted_and_named(split: str, store: Store, tmp_path: Path) -> None:
    folder = write_labels(tmp_path / "p", make_labels())
    (folder / "2.png").unlink()
    (folder / "5.png").unlink()
    with pytest.raises(ValueError, match="lacks 2 of the 7 images of subset 'test' of tiny: 2, 5; it has 5 label maps"):
        import_labels(make_request(folder, split), store=store)
    assert store.list_ids() == []


def test_extra_files_are_noted_and_left_out(split: str, store: Store, tmp_path: Path) -> None:
    folder = write_labels(tmp_path / "p", make_labels() | {"9": np.full((2, 2), 99, dtype=np.uint8)})
    result = import_labels(make_request(folder, split), store=store)
    assert any(
        remark.startswith("1 label maps are of no scored image and were left out: 9") for remark in result.remarks
    )


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (np.zeros((4, 4), dtype=np.uint8), r"3.png has 4 x 4 pixels .*its target 8 x 11"),
        (np.full((8, 11), 7, dtype=np.uint8), r"3.png has the ids 7, which have no meaning. Ids are read as the order"),
        (np.full((8, 11), 3, dtype=np.uint8), r"If ids begin at 1 and 0 is no class: --ids classes\+1"),
        (np.full((8, 11), 700, dtype=np.uint16), r"3.png has the ids 700, which have no meaning"),
        (np.zeros((8, 11, 3), dtype=np.uint8), r"3.png is a color image \(RGB\)"),
    ],
)
def test_a_label_map_that_does_not_fit_is_named(
    split: str, store: Store, tmp_path: Path, ids: np.ndarray, message: str
) -> None:
    folder = write_labels(tmp_path / "p", make_labels() | {"3": ids})
    with pytest.raises(ValueError, match=message):
        import_labels(make_request(folder, split), store=store)
    assert store.list_ids() == []


def test_broken_files_duplicates_and_empty_folders_are_named(split: str, store: Store, tmp_path: Path) -> None:
    folder = write_labels(tmp_path / "p", make_labels())
    content = (folder / "3.png").read_bytes()
    (folder / "3.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"3.png is (broken|not a readable image)"):
        import_labels(make_request(folder, split), store=store)
    write_labels(folder / "sub", {"3": make_labels()["3"]})
    with pytest.raises(ValueError, match=r"two label maps for image '3': 3.png and sub/3.png"):
        import_labels(make_request(folder, split), store=store)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no label maps"):
        import_labels(make_request(tmp_path / "empty", split), store=store)
    with pytest.raises(FileNotFoundError, match="no folder"):
        import_labels(make_request(tmp_path / "nowhere", split), store=store)


def test_a_palette_changes_nothing(split: str, store: Store, tmp_path: Path) -> None:
    labels = make_labels()
    first = import_labels(make_request(write_labels(tmp_path / "p", labels), split), store=store)
    (tmp_path / "q").mkdir()
    for name, ids in labels.items():
        image = Image.fromarray(ids)
        image.putpalette([9, 200, 3, 7, 7, 7, 1, 2, 3])
        image.save(tmp_path / "q" / f"{name}.png")
    assert not import_labels(make_request(tmp_path / "q", split), store=store).is_new and first.is_new


def test_color_images_are_read_with_the_class_of_each_color(split: str, store: Store, tmp_path: Path) -> None:
    labels, colors = make_labels(), np.array([[128, 0, 0], [0, 128, 0], [5, 6, 7]], dtype=np.uint8)
    import_labels(make_request(write_labels(tmp_path / "p", labels), split), store=store)
    folder = write_labels(tmp_path / "q", {name: colors[ids] for name, ids in labels.items()})
    with pytest.raises(ValueError, match=r"is a color image \(RGB\).*name them: --ids FILE.json with"):
        import_labels(make_request(folder, split), store=store)
    (tmp_path / "n.json").write_text('{"#800000": "owl", "#008000": "dog", "#050607": "cat"}')
    request = make_request(folder, split, ids=str(tmp_path / "n.json"))
    assert not import_labels(request, store=store).is_new
    (folder / "3.png").write_bytes((folder / "3.png").read_bytes()[:60])
    with pytest.raises(ValueError, match=r"3.png is (broken|not a readable image)"):
        import_labels(request, store=store)


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 81, " padded"])
def test_a_row_needs_a_name_that_can_be_printed(split: str, store: Store, tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="give a name of 1 to 80 printable characters"):
        import_labels(make_request(write_labels(tmp_path / "p", make_labels()), split, name=name), store=store)


def test_a_split_without_unseen_classes_can_have_pixels_of_no_class(
    monkeypatch: pytest.MonkeyPatch, store: Store, tmp_path: Path
) -> None:
    split = add_tiny(monkeypatch, tmp_path, unseen=())
    labels = {name: np.full_like(ids, 255) for name, ids in make_labels().items()}
    record = import_labels(make_request(write_labels(tmp_path / "p", labels), split), store=store).record
    counts = store.run(record.spec.id).read_counts(record)
    assert counts.totals.prediction.tolist() == [0, 0, 0] and score(counts, "mmseg").miou == 0


@pytest.mark.parametrize("name", ["protocol", "supervision"])
def test_unknown_names_are_answered_with_the_known_ones(split: str, store: Store, tmp_path: Path, name: str) -> None:
    changes: dict[str, Any] = {name: "nonn"}
    request = replace(make_request(write_labels(tmp_path / "p", make_labels()), split), **changes)
    with pytest.raises(KeyError, match=f"no {name} 'nonn'"):
        import_labels(request, store=store)


def test_the_code_behind_the_counts_is_recorded_and_no_other(split: str, store: Store, tmp_path: Path) -> None:
    record = import_labels(make_request(write_labels(tmp_path / "p", make_labels()), split), store=store).record
    wanted = {"benchmark/exchange/count_labels.py", "benchmark/data/label_maps.py", "benchmark/evaluation/counts.py"}
    assert wanted <= record.code.keys()
    assert not [name for name in record.code if "/engine/" in name or name.endswith(("/loader.py", "/method.py"))]


def test_traits_of_imported_labels_are_those_that_the_user_states(split: str, store: Store, tmp_path: Path) -> None:
    path = write_labels(tmp_path / "p", make_labels())
    stated = {"supervision": "seen_masks", "backbone": "CLIP ViT-L/14", "extra_models": ("SAM 2",)}
    traits = import_labels(make_request(path, split, **stated), store=store).record.traits
    assert (traits.supervision, traits.backbone, traits.extra_models) == tuple(stated.values())
    assert (traits.setting, traits.vocabulary, traits.target_images, traits.mask_votes) == (
        "inductive",
        "all",
        "none",
        "",
    )


def test_other_traits_of_the_same_labels_are_refused(split: str, store: Store, tmp_path: Path) -> None:
    path = write_labels(tmp_path / "p", make_labels())
    import_labels(make_request(path, split), store=store)
    assert not import_labels(make_request(path, split), store=store).is_new
    assert not import_labels(make_request(path, split, vocabulary="all"), store=store).is_new
    with pytest.raises(ValueError, match="already, with vocabulary 'all' instead of 'image'"):
        import_labels(make_request(path, split, vocabulary="image"), store=store)


def test_an_unknown_trait_is_answered_with_the_nearest(split: str, store: Store, tmp_path: Path) -> None:
    request = make_request(write_labels(tmp_path / "p", make_labels()), split, setting="inductiv")
    with pytest.raises(KeyError, match="no setting 'inductiv'; did you mean 'inductive'"):
        import_labels(request, store=store)


def test_an_import_of_an_older_version_is_the_same_import(split: str, store: Store, tmp_path: Path) -> None:
    path = write_labels(tmp_path / "p", make_labels())
    record = import_labels(make_request(path, split), store=store).record
    file = store.run(record.spec.id).record_path
    file.write_text(record.model_dump_json(exclude={"traits"}))
    again = import_labels(make_request(path, split), store=store)
    assert not again.is_new and again.record.traits == ProtocolClass()
