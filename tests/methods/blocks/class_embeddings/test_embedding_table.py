"""Reading of embedding files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmark.utils.identity import identify
from methods.blocks.class_embeddings.config import FileEmbeddings
from methods.blocks.class_embeddings.embedding_table import read_embedding_table
from tests.methods.blocks.class_embeddings.vectors import NAMES, REAL, SPLIT, UNIT, needs_real, write_file


def test_rows_are_looked_up_by_name_in_any_order(tmp_path: Path) -> None:
    table = read_embedding_table(write_file(tmp_path, UNIT, NAMES))
    assert table.dimension == 2
    torch.testing.assert_close(table.embed(["wall", "sea"]), torch.tensor([[0.6, 0.8], [1.0, 0.0]]))


def test_half_precision_is_converted_and_normalized_again(tmp_path: Path) -> None:
    rounded = np.full((1, 3), 3**-0.5).astype(np.float16)
    vectors = read_embedding_table(write_file(tmp_path, rounded, ["sea"])).embed(["sea"])
    torch.testing.assert_close(vectors, torch.full((1, 3), 3**-0.5), rtol=0, atol=1e-7)


def test_names_may_come_from_another_text_file_or_a_split(tmp_path: Path) -> None:
    file = write_file(tmp_path, np.eye(32, dtype=np.float32), ["other"] * 32)
    (tmp_path / "names.txt").write_text("\n".join(SPLIT.classes) + "\n\n")
    by_text, by_split = read_embedding_table(file, str(tmp_path / "names.txt")), read_embedding_table(file, "toybox")
    assert by_text.names == by_split.names == SPLIT.classes


@pytest.mark.parametrize(
    ("vectors", "names", "reason"),
    [
        (UNIT[0], NAMES, r"float32 of shape \(2,\): expected floats, \(names, D\)"),
        (np.eye(3, dtype=np.int64), NAMES, "int64 of shape"),
        (UNIT, NAMES[:2], "3 rows for 2 names"),
        (UNIT, ("sea", "tree", "sea"), "occur more than once: sea"),
        (UNIT * [[1], [np.nan], [1]], NAMES, r"'tree' \(row 1\) has values that are nan or infinite"),
        (UNIT * [[1], [1.01], [10]], NAMES, r"'wall' \(row 2\) has norm 10, expected 1 within 0.001: normalize"),
        (UNIT * 1.0011, NAMES, "normalize"),
    ],
)
def test_unsuitable_arrays_are_refused(
    vectors: NDArray[Any], names: Sequence[str], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=reason):
        read_embedding_table(write_file(tmp_path, vectors, names))


def test_the_prompts_of_a_name_are_averaged_on_request(tmp_path: Path) -> None:
    vectors = np.array([[[1, 0], [0, 1]], [[0.6, 0.8], [0.6, 0.8]]], dtype=np.float32)
    file = write_file(tmp_path, vectors, ["sea", "wall"])
    table = read_embedding_table(file, ensemble="mean")
    torch.testing.assert_close(table.table, torch.tensor([[0.5**0.5, 0.5**0.5], [0.6, 0.8]]))
    with pytest.raises(ValueError, match=r"2 prompts for each of 2 names; set class_embeddings\.ensemble=mean"):
        read_embedding_table(file)


def test_averaging_needs_several_unit_vectors_per_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected floats, \(names, prompts, D\), as"):
        read_embedding_table(write_file(tmp_path, UNIT, NAMES), ensemble="mean")
    vectors = np.array([[[1, 0], [0, 2]]], dtype=np.float32)
    with pytest.raises(ValueError, match=r"'sea' \(row 0, prompt 1\) has norm 2"):
        read_embedding_table(write_file(tmp_path, vectors, ["sea"]), ensemble="mean")


def test_an_ensemble_does_not_change_the_identity_of_other_embeddings(tmp_path: Path) -> None:
    config = FileEmbeddings(file=write_file(tmp_path, UNIT, NAMES))
    assert identify(config) == {"kind": "file", "sha256": config.sha256}


@pytest.mark.parametrize("content", [b"no numbers", None])
def test_a_broken_file_is_refused_in_one_line(content: bytes | None, tmp_path: Path) -> None:
    file = Path(write_file(tmp_path, UNIT, NAMES))
    file.write_bytes(file.read_bytes()[:-4] if content is None else content)
    with pytest.raises(ValueError, match=r"x\.npy is truncated or no \.npy of numbers") as caught:
        read_embedding_table(str(file))
    assert "\n" not in str(caught.value)


def test_one_vector_for_all_names_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"x\.npy has the same vector for all 3 names"):
        read_embedding_table(write_file(tmp_path, np.repeat(UNIT[:1], 3, axis=0), NAMES))


def test_objects_in_an_array_are_not_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="holds Python objects, expected floats"):
        read_embedding_table(str(tmp_path / "x.npy"), "toybox")


def test_missing_and_misspelled_names_are_reported_with_what_to_do(tmp_path: Path) -> None:
    file = write_file(tmp_path, UNIT, NAMES)
    with pytest.raises(KeyError, match="did you mean 'tree'"):
        read_embedding_table(file).embed(["sea", "trees"])
    with pytest.raises(KeyError, match="did you mean 'toybox'"):
        read_embedding_table(file, "toybx")
    (tmp_path / "x.txt").unlink()
    with pytest.raises(ValueError, match=r"needs class_embeddings\.names, a text file with one class name per line"):
        read_embedding_table(file)


@needs_real
def test_real_vectors_have_the_known_mean_cosine() -> None:
    table = read_embedding_table(str(REAL / "voc12_single.npy"), "voc12").table
    assert float(((table @ table.T).sum() - 20) / 380) == pytest.approx(0.806, abs=5e-4)


@needs_real
def test_real_vectors_of_shared_names_agree_under_different_prompts() -> None:
    voc = read_embedding_table(str(REAL / "voc12_single.npy"), "voc12")
    coco = read_embedding_table(str(REAL / "coco_multi.npy"), "coco_stuff164k")
    shared = [name for name in voc.names if name in coco.names]
    nearest = (voc.embed(shared) @ coco.table.T).argmax(dim=1)
    assert len(shared) == 14
    assert [coco.names[index] for index in nearest.tolist()] == shared
