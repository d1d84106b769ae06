"""Words from files, checked, and words handed to the wrong classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from benchmark.core.split import Split, load_split
from benchmark.planning.resolve import build, resolve
from methods.blocks.class_embeddings import sources as module
from methods.blocks.class_embeddings.embedding_file import FileVectors, kin, must_agree, must_be_in_order, read_words
from methods.blocks.class_embeddings.sources import FileWords, ShuffleConfig, TowerWords, open_words, shuffle_words
from methods.blocks.class_embeddings.text_bank import Tower
from methods.blocks.clip.config import ClipConfig, load_clip
from methods.blocks.toy import TOY_CLIP_CONFIG
from tests.methods.cases import requests

SPLIT = load_split("toybox")
NAMES = ("sea", "tree", "wall")
UNIT = np.array([[1, 0], [0, 1], [0.6, 0.8]], dtype=np.float32)

REAL = Path(__file__).resolve().parents[5] / "shared" / "data" / "text_embeddings"
needs_real = pytest.mark.skipif(not REAL.is_dir(), reason="the real CLIP vectors do not lie beside the checkout")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHIMERA_BENCH_CACHE", str(tmp_path / "kept"))


def _file(folder: Path, vectors: NDArray[Any], names: Sequence[str]) -> str:
    np.save(folder / "x.npy", vectors)
    (folder / "x.txt").write_text("".join(f"{name}\n" for name in names))
    return str(folder / "x.npy")


def _toy_file(folder: Path, *, order: Sequence[int] = range(20)) -> str:
    """The toy CLIP's own words for the embedded world, in another order: rows and names alike."""
    vectors = Tower(load_clip(TOY_CLIP_CONFIG), SPLIT.prompts).vectors(SPLIT.classes).numpy()
    return _file(folder, vectors[list(order)], [SPLIT.classes[index] for index in order])


def _swapped(file: str, one: int, other: int) -> str:
    vectors = np.load(file)
    vectors[[one, other]] = vectors[[other, one]]
    np.save(file, vectors)
    return file


def _spec(method: str, words: dict[str, Any]) -> Any:
    return resolve(method, split="toybox", seed=0, overrides={"words": words, "body.weights": None})


def _answers(method: Any) -> list[Tensor]:
    method.set_classes(SPLIT.classes)
    with torch.no_grad():
        return [answer["sem_seg"] for answer in method.eval().predict(requests())]


def test_rows_are_looked_up_by_name_in_any_order(tmp_path: Path) -> None:
    words = read_words(_file(tmp_path, UNIT, NAMES))
    assert words.dimension == 2
    torch.testing.assert_close(words.vectors(["wall", "sea"]), torch.tensor([[0.6, 0.8], [1.0, 0.0]]))


def test_half_precision_is_widened_and_normalised_anew(tmp_path: Path) -> None:
    rounded = np.full((1, 3), 3**-0.5).astype(np.float16)
    vectors = read_words(_file(tmp_path, rounded, ["sea"])).vectors(["sea"])
    torch.testing.assert_close(vectors, torch.full((1, 3), 3**-0.5), rtol=0, atol=1e-7)


def test_names_may_be_another_text_file_or_a_split(tmp_path: Path) -> None:
    file = _file(tmp_path, np.eye(20, dtype=np.float32), ["other"] * 20)
    (tmp_path / "names.txt").write_text("\n".join(SPLIT.classes) + "\n\n")
    by_text, by_split = read_words(file, str(tmp_path / "names.txt")), read_words(file, "toybox")
    assert by_text.names == by_split.names == SPLIT.classes


@pytest.mark.parametrize(
    ("vectors", "names", "reason"),
    [
        (UNIT[0], NAMES, r"float32 of shape \(2,\): expected floats, \(names, D\)"),
        (np.eye(3, dtype=np.int64), NAMES, "int64 of shape"),
        (UNIT, NAMES[:2], "3 rows for 2 names"),
        (UNIT, ("sea", "tree", "sea"), "names that occur twice: sea"),
        (UNIT * [[1], [np.nan], [1]], NAMES, r"'tree' \(row 1\) has norm nan"),
        (UNIT * [[1], [1.01], [10]], NAMES, r"'wall' \(row 2\) has norm 10, expected 1 within 0.001: normalise"),
        (UNIT * 1.0011, NAMES, "normalise"),
    ],
)
def test_files_that_do_not_fit_are_refused(
    vectors: NDArray[Any], names: Sequence[str], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=reason):
        read_words(_file(tmp_path, vectors, names))


@pytest.mark.parametrize("content", [b"", b"no numbers", None])
def test_a_file_that_is_no_array_is_one_clear_line(content: bytes | None, tmp_path: Path) -> None:
    file = Path(_file(tmp_path, UNIT, NAMES))
    file.write_bytes(file.read_bytes()[:-4] if content is None else content)
    with pytest.raises(ValueError, match=r"x\.npy is cut short or no \.npy of numbers") as caught:
        read_words(str(file))
    assert "\n" not in str(caught.value)


def test_objects_in_an_array_are_not_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"no \.npy of numbers"):
        read_words(str(tmp_path / "x.npy"), "toybox")


def test_missing_names_and_misspelt_ones_say_what_to_do(tmp_path: Path) -> None:
    file = _file(tmp_path, UNIT, NAMES)
    with pytest.raises(KeyError, match="did you mean 'tree'"):
        read_words(file).vectors(["sea", "trees"])
    with pytest.raises(KeyError, match="did you mean 'toybox'"):
        read_words(file, "toybx")
    (tmp_path / "x.txt").unlink()
    with pytest.raises(ValueError, match="needs a text file with one class name a line"):
        read_words(file)


def test_a_file_that_lacks_a_class_of_the_split_is_refused_at_once(tmp_path: Path) -> None:
    config = FileWords(file=_file(tmp_path, UNIT, NAMES))
    with pytest.raises(KeyError, match="'grass'"):
        open_words(config, clip=TOY_CLIP_CONFIG, split=SPLIT)


def test_a_run_is_of_the_content_it_was_planned_with(tmp_path: Path) -> None:
    spec = _spec("spnet", {"kind": "file", "file": _toy_file(tmp_path)})
    assert len(spec.config["words"]["sha256"]) == 64
    assert build(spec).text.dimension == 64
    _swapped(spec.config["words"]["file"], 0, 1)
    with pytest.raises(ValueError, match="changed since this was planned"):
        build(spec)


def test_a_missing_file_is_refused_when_the_run_is_planned() -> None:
    with pytest.raises(ValueError, match=r"words file nowhere\.npy cannot be read"):
        _spec("spnet", {"kind": "file", "file": "nowhere.npy"})


def test_spnet_with_words_from_a_file_loads_no_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = _toy_file(tmp_path, order=range(19, -1, -1))
    monkeypatch.setattr(module, "load_clip", lambda config: pytest.fail("a CLIP was loaded"))
    method = build(_spec("spnet", {"kind": "file", "file": file}))
    assert [len(scores) for scores in _answers(method)] == [20, 20]


@pytest.mark.parametrize("method", ["maskclip", "chimera_seg"])
def test_words_from_a_file_score_as_the_tower_that_made_them(method: str, tmp_path: Path) -> None:
    file = _toy_file(tmp_path, order=range(19, -1, -1))
    overrides: dict[str, Any] = {} if method == "maskclip" else {"body.weights": None}
    spoken = build(resolve(method, split="toybox", seed=0, overrides=overrides))
    overrides |= {"words": {"kind": "file", "file": file}}
    read = build(resolve(method, split="toybox", seed=0, overrides=overrides))
    for one, other in zip(_answers(spoken), _answers(read), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-3)


@pytest.mark.parametrize("method", ["maskclip", "chimera_seg"])
def test_two_rows_that_changed_places_are_found_where_there_is_a_tower(method: str, tmp_path: Path) -> None:
    file = _swapped(_toy_file(tmp_path), 3, 7)
    words = {"kind": "file", "file": file}
    with pytest.raises(ValueError, match=r"row 3, 'brick wall', is most like what this CLIP says to 'gravel'.*2 of 20"):
        build(resolve(method, split="toybox", seed=0, overrides={"words": words}))
    build(resolve(method, split="toybox", seed=0, overrides={"words": {**words, "order": "trusted"}}))
    build(resolve(method, split="toybox", seed=0, overrides={"words": words, "clip.weights": "random"}))


def test_words_of_another_length_than_the_joint_space_are_refused(tmp_path: Path) -> None:
    config = FileWords(file=_file(tmp_path, np.eye(20, dtype=np.float32), SPLIT.classes), order="trusted")
    clip = ClipConfig(model="toy-ViT-16", weights="random")
    with pytest.raises(ValueError, match="vectors of length 20, this CLIP's joint space has 64"):
        open_words(config, clip=clip, split=SPLIT, loaded=load_clip(clip))


def _families(*sizes: int) -> FileVectors:
    """Names of families, one word for all and one for each, with vectors of which the same is true."""
    family = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    names = tuple(f"{'abcdef'[index]} own{'x' * place}" for place, index in enumerate(family.tolist()))
    table = torch.cat([torch.eye(len(sizes))[family], 0.3 * torch.eye(len(family))], dim=1)
    return FileVectors("x.npy", names, F.normalize(table, dim=1))


def _moved_on(words: FileVectors, by: int) -> FileVectors:
    return FileVectors(words.file, words.names, words.table.roll(by, dims=0))


def test_names_that_share_a_word_are_kin() -> None:
    names = ["wall-brick", "brick", "floor-other", "sky-other", "Wall of stone"]
    assert kin(names) == [(0, 1), (0, 4)]


@pytest.mark.parametrize("by", [1, 2, 13])
def test_rows_that_moved_on_are_found_without_a_tower(by: int) -> None:
    words = _families(3, 5, 4, 7, 2, 6)
    must_be_in_order(words)
    with pytest.raises(ValueError, match=f"moved on by {by} "):
        must_be_in_order(_moved_on(words, by))


def test_the_order_of_few_related_names_is_not_judged() -> None:
    words = _families(3, 4, 5)
    assert len(kin(words.names)) == 3 + 6 + 10
    must_be_in_order(_moved_on(words, 1))


def test_order_that_is_trusted_is_not_checked(tmp_path: Path) -> None:
    words = _families(3, 5, 4, 7, 2, 6)
    file = _file(tmp_path, np.roll(words.table.numpy(), 1, axis=0), words.names)
    split = Split(name="s", dataset="toybox", classes=words.names, unseen=())
    open_words(FileWords(file=file, order="trusted"), clip=TOY_CLIP_CONFIG, split=split)
    with pytest.raises(ValueError, match=r"words\.order=trusted"):
        open_words(FileWords(file=file), clip=TOY_CLIP_CONFIG, split=split)


@needs_real
def test_real_vectors_have_the_known_mean_cosine() -> None:
    table = read_words(str(REAL / "voc12_single.npy"), "voc12").table
    assert float(((table @ table.T).sum() - 20) / 380) == pytest.approx(0.806, abs=5e-4)


@needs_real
def test_real_vectors_of_shared_names_agree_under_other_prompts() -> None:
    voc, coco = read_words(str(REAL / "voc12_single.npy"), "voc12"), _coco()
    shared = [name for name in voc.names if name in coco.names]
    nearest = (voc.vectors(shared) @ coco.table.T).argmax(dim=1)
    assert len(shared) == 14
    assert [coco.names[index] for index in nearest.tolist()] == shared


@needs_real
def test_a_permuted_real_file_is_found_by_a_tower_that_says_the_same() -> None:
    voc = read_words(str(REAL / "voc12_single.npy"), "voc12")
    must_agree(voc, voc)
    with pytest.raises(ValueError, match=r"row 0, 'aeroplane', is most like what this CLIP says to 'tvmonitor'"):
        must_agree(_moved_on(voc, 1), voc)


def _coco() -> FileVectors:
    return read_words(str(REAL / "coco_multi.npy"), "coco_stuff164k")


@needs_real
def test_wrong_orders_of_real_words_are_found_without_a_tower() -> None:
    coco, unseen = _coco(), load_split("coco_stuff164k").unseen
    must_be_in_order(coco)
    orders = [sorted(coco.names), sorted(coco.names, key=lambda name: name in unseen)]  # the latter is ZegFormer's
    for names in [*orders, coco.names[1:] + coco.names[:1]]:
        with pytest.raises(ValueError, match="another order than its names"):
            must_be_in_order(FileVectors(coco.file, tuple(names), coco.table))


def _shuffled(split: Split, names: Sequence[str], *, seed: int = 0) -> list[str]:
    """Whose word every name has."""
    table = FileVectors("x.npy", split.classes, torch.eye(len(split.classes)))
    vectors = shuffle_words(table, split=split, config=ShuffleConfig(seed=seed)).vectors(names)
    return [split.classes[index] for index in vectors.argmax(dim=1).tolist()]


def test_no_class_keeps_its_word_and_none_is_lost() -> None:
    for seed in range(5):
        whose = _shuffled(SPLIT, SPLIT.classes, seed=seed)
        assert sorted(whose) == sorted(SPLIT.classes)
        assert not [name for name, other in zip(SPLIT.classes, whose, strict=True) if name == other]


def test_other_seeds_are_other_orders() -> None:
    assert _shuffled(SPLIT, SPLIT.classes, seed=0) != _shuffled(SPLIT, SPLIT.classes, seed=1)


def test_words_shuffled_at_scoring_are_right_for_the_vocabulary_of_training() -> None:
    table = FileVectors("x.npy", SPLIT.classes, torch.eye(len(SPLIT.classes)))
    words = shuffle_words(table, split=SPLIT, config=ShuffleConfig(begin="scoring"))
    assert torch.equal(words.vectors(SPLIT.seen), table.vectors(SPLIT.seen))
    always = shuffle_words(table, split=SPLIT, config=ShuffleConfig())
    assert torch.equal(words.vectors(SPLIT.classes), always.vectors(SPLIT.classes))
    assert not torch.equal(words.vectors(SPLIT.classes), table.vectors(SPLIT.classes))


def test_shuffled_words_are_the_same_for_every_vocabulary() -> None:
    whose = dict(zip(SPLIT.classes, _shuffled(SPLIT, SPLIT.classes), strict=True))
    assert _shuffled(SPLIT, SPLIT.seen) == [whose[name] for name in SPLIT.seen]
    assert _shuffled(SPLIT, ("cup", "sky")) == [whose["cup"], whose["sky"]]


def test_seen_words_stay_seen_and_know_no_unseen_name() -> None:
    names = {name: f"nameless {index}" for index, name in enumerate(SPLIT.unseen)}
    classes = [names.get(name, name) for name in SPLIT.classes]
    renamed = Split(**SPLIT.model_dump() | {"classes": classes, "unseen": list(names.values())})
    assert set(_shuffled(SPLIT, SPLIT.seen)) == set(SPLIT.seen)
    assert _shuffled(SPLIT, SPLIT.seen) == _shuffled(renamed, SPLIT.seen)


def test_a_single_unseen_class_cannot_have_a_wrong_word() -> None:
    split = Split(name="s", dataset="toybox", classes=NAMES, unseen=("wall",))
    with pytest.raises(ValueError, match="one unseen class, 'wall'"):
        _shuffled(split, NAMES)


def test_a_name_outside_the_split_keeps_its_word() -> None:
    words = shuffle_words(Tower(load_clip(TOY_CLIP_CONFIG), SPLIT.prompts), split=SPLIT, config=ShuffleConfig())
    plain = open_words(TowerWords(), clip=TOY_CLIP_CONFIG, split=SPLIT)
    assert torch.equal(words.vectors(["a thing"]), plain.vectors(["a thing"]))
