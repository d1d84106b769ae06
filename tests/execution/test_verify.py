"""Running again: what is the same, what is different, and why it may be. The pool is replaced."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmark.core.run_record import Failure
from benchmark.core.run_spec import RunSpec
from benchmark.evaluation.counts import Counts
from benchmark.execution import verify
from benchmark.store.store import Store
from tests.report.world import even, hand_counts, save, spec_of

SPEC = spec_of()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path)
    save(store, SPEC, even(80, 60))
    return store


def _gives(monkeypatch: pytest.MonkeyPatch, counts: Counts | Failure, *, code: str = "c0") -> None:
    def run_all(specs: Sequence[RunSpec], *, store: Store, **_: Any) -> None:
        save(store, specs[0], counts, code=code)

    monkeypatch.setattr(verify, "run_all", run_all)


def test_equal_counts_are_identical(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    _gives(monkeypatch, even(80, 60))
    verdict = verify.verify(SPEC.id, store)
    assert verdict.is_same
    assert verify.in_words(verdict)[0].startswith("identical")


def test_one_other_image_is_told_with_what_else_differs(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    _gives(monkeypatch, hand_counts([[80, 80, 60, 60]] * 3 + [[80, 80, 60, 61]]), code="c1")
    verdict = verify.verify(SPEC.id, store)
    assert (verdict.is_same, verdict.images) == (False, 1)
    assert verdict.differing == {"code_digest": ("c0", "c1")}
    assert "different: 1 images" in verify.in_words(verdict)[0]


def test_a_difference_without_a_cause_is_laid_to_the_method(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    _gives(monkeypatch, even(80, 61))
    assert "random numbers" in verify.in_words(verify.verify(SPEC.id, store))[-1]


def test_a_second_run_that_fails_verifies_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    _gives(monkeypatch, Failure(kind="OSError", message="no weights", log_tail="last line"))
    verdict = verify.verify(SPEC.id, store)
    assert not verdict.is_same
    assert "no weights" in verify.in_words(verdict)[0]
    assert verify.as_json(verdict)["failure"]["kind"] == "OSError"


def test_what_is_not_done_cannot_be_verified(store: Store) -> None:
    with pytest.raises(ValueError, match="is missing: only a run that is done"):
        verify.verify(spec_of(seed=5).id, store)
