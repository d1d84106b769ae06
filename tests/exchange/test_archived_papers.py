"""Papers of users' files in archives and stores: what is written of them, and how they are merged."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from benchmark.core.paper_files import read_paper
from benchmark.core.split import SPLITS
from benchmark.exchange.archived_papers import check_papers, merge_papers, write_merged, write_papers
from benchmark.store.store import Store
from benchmark.store.stored_papers import load_archived_table, load_store_table
from benchmark.utils.yaml_files import format_table

ROWS = [{"label": "a", "method": "./mine.py/wide", "set": {"scale": "1e-3"}}, {"label": "b", "published": "ZegCLIP"}]


def write(folder: Path, **tables: Any) -> Path:
    """Write a paper with these datasets by table, next to a split of its own, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(SPLITS / "toybox.yaml", folder / "own.yaml")
    fields = {name: {"title": name, "datasets": datasets, "rows": ROWS} for name, datasets in tables.items()}
    path = folder / "paper.yaml"
    path.write_text(format_table({"title": "P", "citation": "c", "source": "s", "tables": fields}))
    return path


DRAWN = [{"label": "D", "resampled": {"of": "own.yaml", "count": 2, "unseen": 2}}, {"label": "O", "split": "own.yaml"}]
VOC = [{"label": "VOC", "split": "voc12"}]


def store_of(folder: Path, path: Path, *tables: str) -> Store:
    """Return a new store with some tables of a paper."""
    store = Store(folder)
    write_papers(store, [load_store_table(store, f"{path}/{name}") for name in tables])
    return store


def test_the_tables_that_are_asked_for_are_written_with_their_splits(tmp_path: Path) -> None:
    path = write(tmp_path / "here", drawn=DRAWN, voc=VOC)
    store = store_of(tmp_path / "store", path, "drawn")
    shutil.rmtree(tmp_path / "here")
    table = load_archived_table(store, "paper.yaml/drawn").table
    assert [Path(name).name for name in table.splits] == ["own.yaml@2-s0-00", "own.yaml@2-s0-01", "own.yaml"]
    stored = read_paper(store.root / "papers" / "paper.yaml")
    assert list(stored.tables) == ["drawn"] and stored.tables["drawn"].rows[0].set == {"scale": "1e-3"}
    check_papers(store)
    assert str(tmp_path) not in (store.root / "papers" / "paper.yaml").read_text()


def test_a_stored_paper_is_written_again_alike(tmp_path: Path) -> None:
    first = store_of(tmp_path / "first", write(tmp_path / "here", drawn=DRAWN), "drawn")
    again = store_of(tmp_path / "again", first.root / "papers" / "paper.yaml", "drawn")
    for name in ("paper.yaml", "splits/own.yaml"):
        paths = [store.root / "papers" / name for store in (first, again)]
        assert paths[0].read_bytes() == paths[1].read_bytes()


def test_two_papers_of_one_name_are_refused(tmp_path: Path) -> None:
    paths = [write(tmp_path / name, voc=VOC) for name in ("one", "two")]
    tables = [load_store_table(Store(tmp_path), f"{path}/voc") for path in paths]
    with pytest.raises(ValueError, match=r"two papers are in files called paper\.yaml"):
        write_papers(Store(tmp_path / "store"), tables)


def test_tables_of_a_paper_join_and_others_stay_apart(tmp_path: Path) -> None:
    path = write(tmp_path / "here", drawn=DRAWN, voc=VOC)
    ours, theirs = store_of(tmp_path / "ours", path, "voc"), store_of(tmp_path / "theirs", path, "drawn")
    (merged,) = merge_papers(ours, theirs)
    write_merged(ours, theirs, [merged])
    assert merged.action == "merged" and load_archived_table(ours, "paper.yaml/drawn").table.splits
    assert [paper.action for paper in merge_papers(ours, theirs)] == ["identical"]
    changed = store_of(tmp_path / "changed", write(tmp_path / "there", voc=[{"label": "V", "split": "voc12"}]), "voc")
    (refused,) = merge_papers(ours, changed)
    write_merged(ours, changed, [refused])
    assert refused.action == "different" and "another folder (--runs)" in refused.reason
    assert load_archived_table(ours, "paper.yaml/voc").table.datasets[0].label == "VOC"


def test_another_split_of_the_name_is_not_taken_for_ours(tmp_path: Path) -> None:
    path = write(tmp_path / "here", drawn=DRAWN)
    ours = store_of(tmp_path / "ours", path, "drawn")
    (tmp_path / "here" / "own.yaml").write_text((tmp_path / "here" / "own.yaml").read_text() + "\n# changed\n")
    theirs = store_of(tmp_path / "theirs", path, "drawn")
    assert [(paper.action, paper.paper) for paper in merge_papers(ours, theirs)] == [("different", None)]


def test_papers_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    store = store_of(tmp_path / "store", write(tmp_path / "here", voc=VOC), "voc")
    (store.root / "papers" / "paper.yaml").write_text("title: !!python/object/apply:os.system [ls]\n")
    with pytest.raises(ValueError, match="not supported"):
        check_papers(store)
    (store.root / "papers" / "paper.yaml").write_text("#" * 1_000_001)
    with pytest.raises(ValueError, match="more than the limit"):
        check_papers(store)
