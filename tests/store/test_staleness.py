"""A result is stale if what its own run used has changed, and fresh again if an identical repetition is accepted."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from benchmark.core.run_record import Failure, RunRecord
from benchmark.store.staleness import accept, digest_module, find_changes, find_input_differences, summarize_changes
from benchmark.store.store import Store
from benchmark.utils import installed_methods
from benchmark.utils.external_sources import open_external_method
from benchmark.utils.input_files import hash_file
from benchmark.utils.installed_methods import GROUP
from tests.report.world import even, save, spec_of

NAME = "methods/spnet.py"
CODE = {NAME: digest_module(NAME)}


def save_record(store: Store, **changes: object) -> RunRecord:
    return store.run(save(store, spec_of(), even(80, 60), **changes)).read_record()


def test_a_run_whose_files_are_the_same_is_fresh(tmp_path: Path) -> None:
    assert find_changes(save_record(Store(tmp_path), code=CODE)) == ()


@pytest.mark.parametrize(("name", "text"), [(NAME, f"{NAME} changed"), ("methods/none.py", "methods/none.py is gone")])
def test_a_changed_file_is_named(tmp_path: Path, name: str, text: str) -> None:
    assert find_changes(save_record(Store(tmp_path), code={name: "0"})) == (text,)


def test_a_changed_input_is_named_and_an_absent_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    path.write_bytes(b"one")
    inputs = {str(path): hash_file(path), str(tmp_path / "gone.pt"): "0", "imagenet: resnet50": "0"}
    assert find_changes(save_record(Store(tmp_path / "a"), inputs=inputs)) == ()
    other = save_record(Store(tmp_path / "b"), inputs={str(path): "0"})
    assert find_changes(other) == (f"input {path} changed",)


def test_a_changed_external_method_is_named_and_one_that_is_elsewhere_is_not(tmp_path: Path) -> None:
    source = tmp_path / "x.py"
    source.write_text("import helper")
    (tmp_path / "helper.py").write_text("V = 1")
    digest = open_external_method(source).digest()
    record = save_record(Store(tmp_path))

    def find(path: Path, value: str) -> tuple[str, ...]:
        spec = spec_of(source=str(path), source_digest=value)
        return find_changes(record.model_copy(update={"spec": spec}))

    assert find(source, digest) == find(tmp_path / "gone.py", "0") == ()
    assert find(source, "0") == ("method file x.py or a module next to it changed",)


def test_a_failure_is_never_stale(tmp_path: Path) -> None:
    store = Store(tmp_path)
    run = store.run(save(store, spec_of(), Failure(kind="X", message="y"), code={NAME: "0"}))
    assert find_changes(run.read_record()) == ()


def test_an_accepted_run_is_fresh_until_the_next_change(tmp_path: Path) -> None:
    run = Store(tmp_path).run(spec_of().id)
    record = save_record(Store(tmp_path), code={NAME: "0"})
    accept(run, record, record.model_copy(update={"code": CODE}))
    assert find_changes(record) and find_changes(record, run) == ()
    accept(run, record, record.model_copy(update={"code": {NAME: "1"}}))
    assert find_changes(record, run) == (f"{NAME} changed",)


def test_an_accepted_external_method_is_fresh_until_it_changes_again(tmp_path: Path) -> None:
    source = tmp_path / "pack" / "__init__.py"
    source.parent.mkdir()
    source.write_text("V = 1")
    spec = spec_of(source=str(source), source_digest="0")
    run = Store(tmp_path).run(save(Store(tmp_path), spec, even(80, 60)))
    record = run.read_record()
    assert find_changes(record, run) == ("method file pack/__init__.py or a module next to it changed",)
    for digest, changes in ((open_external_method(source).digest(), 0), ("1", 1)):
        present = spec.model_copy(update={"source_digest": digest})
        accept(run, record, record.model_copy(update={"spec": present}))
        assert len(find_changes(record, run)) == changes


def test_a_changed_installed_method_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plugged_for_staleness.py").write_text("V = 1")
    point = EntryPoint("plugged", "plugged_for_staleness", GROUP)
    monkeypatch.setattr(installed_methods, "entry_points", lambda **_: [point])
    monkeypatch.syspath_prepend(str(tmp_path))
    record = save_record(Store(tmp_path))
    for name, changes in (("plugged", ("package plugged changed",)), ("uninstalled", ())):
        spec = spec_of(method=name, source_digest="0")
        assert find_changes(record.model_copy(update={"spec": spec})) == changes


def test_other_counts_are_not_accepted(tmp_path: Path) -> None:
    record = save_record(Store(tmp_path), code={NAME: "0"})
    with pytest.raises(ValueError, match="has other counts"):
        accept(Store(tmp_path).run(record.spec.id), record, record.model_copy(update={"counts_digest": "0"}))


def test_inputs_that_two_runs_share_are_compared(tmp_path: Path) -> None:
    a = save_record(Store(tmp_path), inputs={"w.pt": "a" * 64, "only": "0"})
    b = a.model_copy(update={"inputs": {"w.pt": "b" * 64}})
    assert find_input_differences(a, b) == ("w.pt is aaaaaaaaaaaa and bbbbbbbbbbbb",)


def test_many_changes_are_one_line() -> None:
    assert summarize_changes(["a", "b", "c"]) == "a, b, c"
    assert summarize_changes(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
