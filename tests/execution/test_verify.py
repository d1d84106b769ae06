"""Verification of a result: equal counts, differing counts, and failures. The pool is replaced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmark.core.run_record import Failure
from benchmark.core.run_spec import RunSpec
from benchmark.evaluation.counts import Counts
from benchmark.execution import verify
from benchmark.execution.verify import verify_run
from benchmark.store.store import Store
from tests.report.world import even, hand_counts, save, spec_of

SPEC = spec_of()

SetResult = Callable[..., None]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path)
    save(store, SPEC, even(80, 60))
    return store


@pytest.fixture
def set_result(monkeypatch: pytest.MonkeyPatch) -> SetResult:
    """Return a function that sets the result of the repeated run."""

    def set_result(result: Counts | Failure, *, code: str = "c0") -> None:
        def run_all(specs: Sequence[RunSpec], *, store: Store, **_: Any) -> None:
            save(store, specs[0], result, code=code)

        monkeypatch.setattr(verify, "run_all", run_all)

    return set_result


def test_equal_counts_are_identical(store: Store, set_result: SetResult) -> None:
    set_result(even(80, 60))
    verification = verify_run(SPEC.id, store)
    assert verification.is_identical
    assert verification.format_lines()[0].startswith("identical")


def test_differing_images_are_counted_and_changes_of_the_environment_named(store: Store, set_result: SetResult) -> None:
    set_result(hand_counts([[80, 80, 60, 60]] * 3 + [[80, 80, 60, 61]]), code="c1")
    verification = verify_run(SPEC.id, store)
    assert (verification.is_identical, verification.changed_images) == (False, 1)
    assert verification.environment_changes == {"code_digest": ("c0", "c1")}
    assert "different: the counts of 1 images" in verification.format_lines()[0]


def test_a_difference_in_equal_environments_is_attributed_to_the_method(store: Store, set_result: SetResult) -> None:
    set_result(even(80, 61))
    assert "random numbers" in verify_run(SPEC.id, store).format_lines()[-1]


def test_a_failed_repetition_verifies_nothing(store: Store, set_result: SetResult) -> None:
    set_result(Failure(kind="OSError", message="no weights", log_tail="last line"))
    verification = verify_run(SPEC.id, store)
    assert not verification.is_identical
    assert "no weights" in verification.format_lines()[0]
    assert verification.to_json()["failure"]["kind"] == "OSError"


def test_a_run_that_is_not_done_cannot_be_verified(store: Store) -> None:
    with pytest.raises(ValueError, match="is missing: only a run that is done"):
        verify_run(spec_of(seed=5).id, store)
