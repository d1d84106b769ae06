"""Tests of importing results: verified as a whole before anything enters the store, then merged."""

from __future__ import annotations

import json
import shutil
import stat
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from benchmark.exchange import results_content
from benchmark.exchange.export_results import draw_again, export_results
from benchmark.exchange.import_results import check_results, import_results
from benchmark.exchange.merge_decision import Fate
from benchmark.exchange.merge_store import merge
from benchmark.exchange.results_content import unpack_results
from benchmark.exchange.store_archive import ArchiveLimits
from benchmark.store.store import Store
from benchmark.utils.exit_codes import ExitCode
from tests.exchange.archives import Members, change, find_member, read_members
from tests.report.world import even, plan_of, save, spec_of, two_rows


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a store and its archive, which tests copy."""
    folder = tmp_path_factory.mktemp("exported")
    store = Store(folder / "theirs")
    store.write_plan(two_rows(store))
    export_results(store, ["demo"], folder / "a.zip")
    return folder


@pytest.fixture
def store(exported: Path, tmp_path: Path) -> Store:
    return Store(shutil.copytree(exported / "theirs", tmp_path / "theirs"))


@pytest.fixture
def archive(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(exported / "a.zip", tmp_path / "a.zip"))


@pytest.fixture
def ours(tmp_path: Path) -> Store:
    """A store with one run of its own."""
    ours = Store(tmp_path / "ours")
    save(ours, spec_of("mine"), even(50, 50))
    return ours


def read_files(store: Store) -> dict[str, bytes]:
    paths = (path for path in store.root.rglob("*") if path.is_file())
    return {path.relative_to(store.root).as_posix(): path.read_bytes() for path in paths}


def check_refused(archive: Path, ours: Store, message: str) -> None:
    """Check that importing and checking fail with one line, and that the store stays as it was."""
    before = read_files(ours)
    for act in (lambda: import_results(archive, ours), lambda: check_results(archive)):
        with pytest.raises(ValueError, match=message) as raised:
            act()
        assert "\n" not in str(raised.value)
    assert read_files(ours) == before and not (ours.root / ".merge").exists()


def test_a_store_filled_by_the_archive_draws_the_same_tables(archive: Path, tmp_path: Path) -> None:
    new = Store(tmp_path / "new")
    assert {decision.fate for decision in import_results(archive, new).runs} == {Fate.NEW}
    members = read_members(archive)
    drawn = {f"tables/{table.name}": table.draw().encode() for table in draw_again(new, ["demo"])}
    assert drawn == {name: content for name, content in members.items() if name.startswith("tables/")}


def test_check_says_which_table_is_different_and_where(archive: Path) -> None:
    def edit(members: Members) -> None:
        members["tables/demo.csv"] = members["tables/demo.csv"].replace(b"paper", b"ours", 1)

    assert check_results(archive).exit_code is ExitCode.SUCCESS
    check = check_results(change(archive, edit))
    assert check.exit_code is ExitCode.DIFFERENT and check.is_same_code
    (table,) = [table for table in check.tables if not table.is_identical]
    assert table.name == "demo.csv" and "line 2" in table.difference


def test_no_result_is_overwritten(archive: Path, ours: Store) -> None:
    run_id = save(ours, spec_of("paper", seed=0), even(10, 10))
    before = ours.run(run_id).record_path.read_bytes()
    result = import_results(archive, ours)
    assert result.exit_code is ExitCode.DIFFERENT and result.count(Fate.NEW) == 5
    assert ours.run(run_id).record_path.read_bytes() == before


def test_merge_takes_the_archive_too_and_verifies_it(archive: Path, tmp_path: Path) -> None:
    assert merge(archive, Store(tmp_path / "new")).count(Fate.NEW) == 6
    broken = change(archive, lambda members: members.update({"extra.txt": b"x"}), seals=False)
    with pytest.raises(ValueError, match=r"does not list, extra\.txt"):
        merge(broken, Store(tmp_path / "other"))


def drop_counts(members: Members) -> None:
    del members[find_member(members, "counts.npz")]


def change_record(members: Members) -> None:
    name = find_member(members, "record.json")
    members[name] = members[name].replace(b"2030", b"2031", 1)


def add_file(members: Members) -> None:
    members["runs/extra.json"] = b"{}"


def garble_checksums(members: Members) -> None:
    members["SHA256SUMS"] = members["SHA256SUMS"].replace(b"  ", b" ", 1)


def drop_checksums(members: Members) -> None:
    del members["SHA256SUMS"]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (drop_counts, "lacks runs/demo.*counts.npz"),
        (change_record, "holds other content than its SHA256SUMS says in runs/demo.*record.json"),
        (add_file, "holds files that its SHA256SUMS does not list, runs/extra.json"),
        (garble_checksums, "holds a broken SHA256SUMS"),
        (drop_checksums, "has no SHA256SUMS, so it is no archive of results"),
    ],
)
def test_wrong_checksums_are_refused(archive: Path, ours: Store, edit: Callable[[Members], None], message: str) -> None:
    check_refused(change(archive, edit, seals=False), ours, message)


def swap_records(members: Members) -> None:
    first, second = (name for name in sorted(members) if name.endswith("s0-" + name[-28:-12] + "/record.json"))
    members[first] = members[second]


def add_program(members: Members) -> None:
    members[find_member(members, "record.json").replace("record.json", "evil.py")] = b"raise SystemExit"


def rename_plan(members: Members) -> None:
    members["runs/plans/demo.json"] = members["runs/plans/demo.json"].replace(b'"demo"', b'"../../evil"', 1)


def drop_run(members: Members) -> None:
    folder = find_member(members, "record.json").removesuffix("record.json")
    for name in [name for name in members if name.startswith(folder)]:
        del members[name]


def add_paper(members: Members) -> None:
    members["runs/papers/evil.yaml"] = b"title: P\ntables: {main: {rows: !!python/name:os.system }}\n"


def raise_format(members: Members) -> None:
    members["MANIFEST.json"] = members["MANIFEST.json"].replace(b'"format": 1', b'"format": 2', 1)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (swap_records, "record.json is the record of another run"),
        (add_program, "evil.py', which is no part of results"),
        (rename_plan, "the plan 'demo' is that of another study, '../../evil'"),
        (drop_run, "holds 5 runs, and its MANIFEST.json lists 6"),
        (raise_format, "MANIFEST.json is broken"),
        (add_paper, "runs/papers/evil.yaml is not a valid paper: line 2: the tag !!python"),
    ],
)
def test_sealed_archives_with_wrong_content_are_refused(
    archive: Path, ours: Store, edit: Callable[[Members], None], message: str
) -> None:
    check_refused(change(archive, edit), ours, message)


@pytest.mark.parametrize("length", [0, 10, 0.5, -1])
def test_a_truncated_archive_is_refused(archive: Path, ours: Store, length: float) -> None:
    content = archive.read_bytes()
    archive.write_bytes(content[: int(len(content) * length) if 0 < length < 1 else int(length)])
    check_refused(archive, ours, "is no zip archive, or was cut short|is broken")


def test_a_changed_byte_is_refused_wherever_it_is(archive: Path, ours: Store) -> None:
    content = archive.read_bytes()
    with zipfile.ZipFile(archive) as opened:
        info, directory = opened.infolist()[3], opened.start_dir
    local, data = info.header_offset, info.header_offset + 30 + len(info.filename)
    places = [local + 4, local + 10, data - 2, data + 5, directory + 4, directory + 12, directory + 39]
    for place in [*places, len(content) - 17]:  # versions, times, a name, data, permissions, number of files
        archive.write_bytes(content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :])
        check_refused(archive, ours, "is broken|holds other content|than export|lacks|no plain file")


@pytest.mark.slow
def test_no_changed_byte_among_many_changes_what_is_unpacked(tmp_path: Path) -> None:
    store, path = Store(tmp_path / "theirs"), tmp_path / "small.zip"
    store.write_plan(plan_of({"paper": {0: save(store, spec_of(), even(80, 60))}}))
    export_results(store, ["demo"], path)
    content, members, accepted = path.read_bytes(), read_members(path), 0
    for place in range(0, len(content), 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1 << place % 8]) + content[place + 1 :])
        folder = tmp_path / f"unpacked-{place}"
        with suppress(ValueError):
            unpack_results(path, folder)
            accepted += 1  # two compressed streams may expand to the same content
            assert all((folder / name).read_bytes() == content for name, content in members.items())
    assert accepted < 10


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, ours: Store) -> None:
    (tmp_path / "a.zip").write_text("not an archive")
    check_refused(tmp_path / "a.zip", ours, "is no zip archive")
    with pytest.raises(FileNotFoundError, match="no archive"):
        import_results(tmp_path / "nowhere.zip", ours)


def test_a_link_is_refused(archive: Path, ours: Store) -> None:
    link = zipfile.ZipInfo("runs/link")
    link.external_attr, link.create_system = (stat.S_IFLNK | 0o777) << 16, 3
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr(link, "/etc/passwd")
    check_refused(archive, ours, "runs/link, which is no plain file")


@pytest.mark.parametrize("name", ["../evil", "/evil", "runs/../../evil"])
def test_a_path_that_leads_out_is_refused(archive: Path, ours: Store, name: str) -> None:
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr(name, "x")
    check_refused(archive, ours, "leads out of it")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_there_twice_is_refused(archive: Path, ours: Store) -> None:
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr("README.md", "x")
    check_refused(archive, ours, "holds README.md twice")


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (ArchiveLimits(500, 10**9, 10**6, 200), "larger than the limit of 500 B"),
        (ArchiveLimits(10**9, 10_000, 10**6, 200), "more than the limit of 10.0 kB together"),
        (ArchiveLimits(10**9, 10**9, 3, 200), "more than the limit of 3 files"),
    ],
)
def test_an_archive_beyond_a_limit_is_refused(
    archive: Path, ours: Store, monkeypatch: pytest.MonkeyPatch, limits: ArchiveLimits, message: str
) -> None:
    monkeypatch.setattr(results_content, "RESULT_LIMITS", limits)
    check_refused(archive, ours, message)


def test_a_bomb_is_refused_by_the_size_that_it_says_it_has(archive: Path, ours: Store) -> None:
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("tables/bomb.txt", bytes(100_000_000))
    check_refused(archive, ours, "expands to more than the limit of 200 times its size")


def test_counts_that_expand_too_far_are_refused(archive: Path, ours: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results_content, "MAX_COUNTS", 1000)
    check_refused(archive, ours, "counts.npz expands to more than the limit of 1.0 kB")


def test_pickled_counts_are_refused_and_not_executed(archive: Path, ours: Store) -> None:
    import io

    import numpy as np

    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path("evil-was-here").touch, ())

    def edit(members: Members) -> None:
        buffer = io.BytesIO()
        np.savez(buffer, names=np.array([Evil()], dtype=object))
        members[find_member(members, "counts.npz")] = buffer.getvalue()

    check_refused(change(archive, edit), ours, "does not hold counts")
    assert not Path("evil-was-here").exists()


def test_a_full_disk_while_unpacking_leaves_the_store_as_it_was(
    archive: Path, ours: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmark.exchange import store_archive

    def fail(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store_archive, "_unpack_member", fail)
    before = read_files(ours)
    with pytest.raises(OSError, match="No space left on device"):
        import_results(archive, ours)
    assert read_files(ours) == before and not (ours.root / ".merge").exists()


def test_a_manifest_is_read_as_json_and_nothing_else(archive: Path, ours: Store) -> None:
    def edit(members: Members) -> None:
        members["MANIFEST.json"] = json.dumps({"format": 1, "runs": "!!python/object"}).encode()

    check_refused(change(archive, edit), ours, "MANIFEST.json is broken")
