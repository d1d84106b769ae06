"""The home folder of a user, who may have none."""

from __future__ import annotations

import pwd
from pathlib import Path

import pytest

from benchmark.utils.input_files import locate_file, name_file
from benchmark.utils.paths import ROOT, expand_path, find_cache_folder, find_home, make_absolute
from slurm.requests.profile import find_profile_folder, list_profiles


@pytest.fixture
def _no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without a home and without a name, as `docker run --user 12345` makes it."""

    def fail(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "CHIMERA_BENCH_PROFILES", "CHIMERA_BENCH_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", fail)


@pytest.mark.usefixtures("_no_home")
def test_without_a_home_files_are_named_and_located_by_their_paths(tmp_path: Path) -> None:
    assert find_home() is None
    assert name_file(tmp_path / "w.pt") == (tmp_path / "w.pt").as_posix()
    assert name_file(ROOT / "methods" / "spnet.py") == "methods/spnet.py"
    assert expand_path("~/w.pt") == Path("~/w.pt") and locate_file("~/w.pt") is None


@pytest.mark.usefixtures("_no_home")
def test_without_a_home_arrays_are_cached_with_temporary_files_and_included_profiles_are_found() -> None:
    assert find_cache_folder().is_absolute() and list_profiles()
    with pytest.raises(ValueError, match="there is no home folder for profiles: set"):
        find_profile_folder()


def test_a_home_and_variables_are_replaced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WEIGHTS", "clip")
    assert (find_home(), expand_path("~/$WEIGHTS/w.pt")) == (tmp_path, tmp_path / "clip" / "w.pt")


def test_an_absolute_path_has_no_steps_back_except_through_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "link").symlink_to("a/b")
    monkeypatch.chdir(tmp_path / "a")
    assert make_absolute("../a/x.py") == tmp_path / "a" / "x.py"
    assert make_absolute(tmp_path / "link" / ".." / "x.py") == tmp_path / "link" / ".." / "x.py"  # this is a/x.py


def test_an_empty_home_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "")
    assert find_home() is None


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"CHIMERA_BENCH_CACHE": "/own", "XDG_CACHE_HOME": "/shared"}, "/own"),
        ({"XDG_CACHE_HOME": "/shared"}, "/shared/chimera-bench"),
        ({"HOME": "/people/me"}, "/people/me/.cache/chimera-bench"),
    ],
)
def test_the_folder_of_the_cache_follows_the_environment(
    variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CHIMERA_BENCH_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert find_cache_folder() == Path(expected)
