"""Resampled splits of a study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmark.core.grid import count_runs, make_grid
from benchmark.core.resampling import Resampling
from benchmark.core.split import load_split
from benchmark.core.study import Study, load_study
from tests.core.test_split_draw import STUFF, THINGS, write_base


def resample(of: str, **fields: Any) -> tuple[str, ...]:
    return Resampling.model_validate({"of": of, "count": 3, "unseen": 2} | fields).list_names()


def make_study(**fields: Any) -> Study:
    return Study.model_validate({"name": "g", "title": "G", "seeds": [0, 1], "rows": ["m", "n"]} | fields)


def test_a_study_names_its_splits(tmp_path: Path) -> None:
    base = write_base(tmp_path)
    assert resample(base) == tuple(f"{base}@2-s0-0{number}" for number in range(3))
    assert resample(base, balanced=["things", "stuff"], seed=4, count=1) == (f"{base}@stuff1+things1-s4-00",)
    assert resample(base, unseen={"things": 1, "stuff": 2}, count=1) == (f"{base}@stuff2+things1-s0-00",)


def test_included_splits_come_first_and_are_not_drawn_again(tmp_path: Path) -> None:
    base = write_base(tmp_path)
    second = load_split(f"{base}@2-s0-01").unseen
    published = write_base(tmp_path, "published", unseen=list(second))
    assert resample(base, include=published) == (published, f"{base}@2-s0-00", f"{base}@2-s0-02")


def test_all_sets_that_exist_can_be_drawn_and_no_more(tmp_path: Path) -> None:
    base = write_base(tmp_path)
    assert len(resample(base, count=15)) == 15
    with pytest.raises(ValueError, match=r"16 splits of '.*' are asked for, and only 15 different ones exist"):
        resample(base, count=16)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"unseen": 3, "balanced": ["stuff", "things"]}, r"3 unseen classes cannot be shared equally by stuff, things"),
        ({"unseen": {"stuff": 1}, "balanced": ["stuff"]}, "so remove balanced"),
        ({"unseen": 7}, "has 6 classes that may be unseen, and 7 are asked for"),
        ({"unseen": 8, "balanced": ["stuff", "things"]}, "has 3 classes of kind 'stuff' that may be unseen, and 4"),
        ({"unseen": 0}, "draws no classes"),
        ({"unseen": "6"}, "unseen='6': expected a whole number or a table"),
        ({"unseen": {"stuff": "3"}}, "unseen.stuff='3': expected a whole number$"),
        ({"count": 0}, "count=0: expected a number of at least 1"),
        ({"count": 1001}, "count=1001: expected a number of at most 1000"),
        ({"seed": -1}, "seed=-1: expected a number of at least 0"),
        ({"include": ["toybox"]}, "split 'toybox' of include has another dataset than 'base'"),
        ({"of": "toybox@2-s0-00"}, "'toybox@2-s0-00' is itself drawn: draw from 'toybox'"),
        ({"balanced": ["stuff", "stuff"], "unseen": 2}, "stuff is given more than once"),
    ],
)
def test_impossible_draws_are_refused(tmp_path: Path, fields: dict[str, Any], message: str) -> None:
    fields = {"of": write_base(tmp_path), "count": 2, "unseen": 2} | fields
    with pytest.raises(ValueError, match=message) as caught:
        make_grid(_load(tmp_path, resampled=fields))
    assert "\n" not in str(caught.value)


def _load(folder: Path, **fields: Any) -> Study:
    import yaml

    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump({"title": "G", "seeds": [0], "rows": ["m"]} | fields))
    return load_study(str(path))


def test_an_included_split_has_the_classes_and_the_number_of_unseen_ones_of_the_base(tmp_path: Path) -> None:
    base, one = write_base(tmp_path), write_base(tmp_path, "one")
    with pytest.raises(ValueError, match="has 1 unseen classes, and the drawn ones have 2: give unseen: 1"):
        resample(base, include=[one])
    other = write_base(tmp_path, "other", classes=[*THINGS, *STUFF])
    with pytest.raises(ValueError, match="has other classes than 'base'"):
        resample(base, include=[other])
    tuned = write_base(tmp_path, "tuned", unseen=["sky"])
    with pytest.raises(ValueError, match=r"withholds \['sky'\], which 'base' lists as never_unseen: remove it"):
        resample(base, unseen=1, include=[tuned])
    with pytest.raises(ValueError, match="count is 1, and include has 2 splits"):
        resample(base, unseen=1, count=1, include=[one, base])


def test_an_unknown_kind_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="did you mean 'things'"):
        resample(write_base(tmp_path), balanced=["thing"])


def test_every_row_is_run_on_every_split_grouped_by_split(tmp_path: Path) -> None:
    base = write_base(tmp_path)
    study = make_study(resampled={"of": base, "count": 2, "unseen": 2})
    cells = [(row.method, row.split) for row in make_grid(study)]
    first, second = f"{base}@2-s0-00", f"{base}@2-s0-01"
    assert cells == [("m", first), ("n", first), ("m", second), ("n", second)]
    assert count_runs(study) == 8


def test_a_split_has_the_same_number_however_many_there_are(tmp_path: Path) -> None:
    base = write_base(tmp_path)
    assert resample(base, count=9)[:3] == resample(base, count=3)


def test_a_study_has_split_or_splits_or_resampled() -> None:
    assert make_study(splits=["a", "b"]) == make_study(split=["a", "b"])
    assert make_study(rows=[{"method": "m", "splits": "a"}]).rows[0].split == ("a",)
    with pytest.raises(ValueError, match="both split and splits are given"):
        make_study(split="a", splits="b")
    with pytest.raises(ValueError, match="both split and resampled are given"):
        make_study(split="a", resampled={"of": "a", "count": 1, "unseen": 1})
    with pytest.raises(ValueError, match="split is swept, and the study gives it too, as resampled"):
        make_study(sweep={"split": ["a"]}, resampled={"of": "a", "count": 1, "unseen": 1})
    with pytest.raises(ValueError, match="splits cannot be swept: as a key of a sweep it is called split"):
        make_study(split="a", sweep={"splits": ["a"]})


def test_a_swept_split_of_a_row_replaces_those_of_the_study() -> None:
    study = make_study(split=["a", "b"], rows=[{"method": "m", "sweep": {"split": ["c", "d"]}}])
    assert count_runs(study) == len(make_grid(study)) * 2 == 4


def test_paths_of_drawn_splits_are_relative_to_the_file_of_the_study(tmp_path: Path) -> None:
    base = write_base(tmp_path)
    study = _load(tmp_path, resampled={"of": "base.yaml", "count": 2, "unseen": 1, "include": "base.yaml"})
    assert study.list_splits() == (base, f"{base}@1-s0-00")
    assert _load(tmp_path, split="base.yaml@2-s0-03").split == (f"{base}@2-s0-03",)
