"""Verification of a result: equal counts, differing counts, and failures. The pool is replaced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.core.environment import Gpu
from benchmark.core.run_record import Failure
from benchmark.core.run_spec import RunSpec
from benchmark.evaluation.counts import Counts
from benchmark.execution import verify
from benchmark.execution.verify import NotVerifiableError, verify_run
from benchmark.store.store import Store
from benchmark.utils.exit_codes import ExitCode
from tests.core.machines import GPU, make_environment
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

    def set_result(result: Counts | Failure, **changes: Any) -> None:
        def run_all(specs: Sequence[RunSpec], *, store: Store, **_: Any) -> None:
            save(store, specs[0], result, **changes)

        monkeypatch.setattr(verify, "run_all", run_all)
        monkeypatch.setattr(verify, "check_repeatable", lambda spec: None)

    return set_result


def test_equal_counts_are_identical(store: Store, set_result: SetResult) -> None:
    set_result(even(80, 60))
    verification = verify_run(SPEC.id, store)
    assert verification.is_identical
    assert verification.format_lines()[0].startswith("identical")


def test_a_changed_external_method_is_repeated_as_it_is_now_on_request(
    store: Store, set_result: SetResult, tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text("V = 2")
    spec = spec_of(source=str(tmp_path / "mine.py"), source_digest="0" * 64)
    run_id = save(store, spec, even(80, 60))
    set_result(even(80, 60))
    with pytest.raises(NotVerifiableError, match="demo changed since the run; --accept repeats it with the method as"):
        verify_run(run_id, store)
    verification = verify_run(run_id, store, uses_present_source=True)
    assert verification.is_identical and verification.changes["method file"][0] == "0" * 12
    assert verification.repeated.spec.source_digest != spec.source_digest


def test_differing_images_are_counted(store: Store, set_result: SetResult) -> None:
    set_result(hand_counts([[80, 80, 60, 60]] * 3 + [[80, 80, 60, 61]]))
    verification = verify_run(SPEC.id, store)
    assert verification.difference is not None and verification.difference.images == 1
    assert verification.format_lines()[0] == "different: the counts of 1 of 4 images differ"
    assert verification.exit_code == ExitCode.DIFFERENT


def test_recorded_differences_are_named_as_a_possible_reason(store: Store, set_result: SetResult) -> None:
    set_result(even(80, 61), environment=make_environment(mkl_branch="auto"), code={"a.py": "1"}, inputs={"w.pt": "2"})
    lines = verify_run(SPEC.id, store).format_lines()
    assert lines[-4:] == [
        "  these recorded differences may explain it:",
        "    machine.mkl_branch: COMPATIBLE -> auto",
        "    code.a.py: absent -> 1",
        "    inputs.w.pt: absent -> 2",
    ]


def test_a_difference_names_an_interruption_of_the_original_run(store: Store, set_result: SetResult) -> None:
    set_result(even(80, 61))
    verification = verify_run(SPEC.id, store)
    resumed = replace(verification, original=verification.original.model_copy(update={"attempts": 2}))
    assert resumed.format_lines()[-1].startswith("  the original run was interrupted and went on in attempt 2")


def test_without_a_recorded_difference_no_reason_is_claimed(store: Store, set_result: SetResult) -> None:
    set_result(even(80, 61))
    last = verify_run(SPEC.id, store).format_lines()[-1]
    assert last.startswith("  no recorded difference explains it; compared were code, inputs, Python")
    assert "random" not in last


def test_another_commit_and_unused_code_are_no_reason(store: Store, set_result: SetResult) -> None:
    set_result(even(80, 61), environment=make_environment().model_copy(update={"commit": "abc"}))
    assert verify_run(SPEC.id, store).changes == {}


def test_identical_counts_in_another_environment_are_identical(store: Store, set_result: SetResult) -> None:
    set_result(even(80, 60), environment=make_environment(threads=2))
    verification = verify_run(SPEC.id, store)
    assert verification.exit_code == ExitCode.SUCCESS
    assert verification.format_lines()[-2:] == ["  although these recorded facts differ:", "    threads: 1 -> 2"]


def test_counts_that_differ_only_in_margins_are_not_called_zero_images(store: Store, set_result: SetResult) -> None:
    counts = even(80, 60)
    moved = {name: np.roll(getattr(counts, name), 1, axis=1) for name in ("margin_intersection", "margin_prediction")}
    set_result(replace(counts, **moved))
    lines = verify_run(SPEC.id, store).format_lines()
    assert lines[0].startswith("different: the counts of all 4 images are equal; only sums over all images differ")


def test_a_changed_or_missing_input_of_the_spec_is_named_before_the_run(store: Store) -> None:
    with pytest.raises(NotVerifiableError, match=r"demo.* cannot be verified: .*'demo'"):
        verify_run(SPEC.id, store)


def test_a_failed_repetition_verifies_nothing(store: Store, set_result: SetResult) -> None:
    set_result(Failure(kind="OSError", message="no weights", log_tail="last line"))
    verification = verify_run(SPEC.id, store)
    assert not verification.is_identical
    assert "no weights" in verification.format_lines()[0]
    assert verification.exit_code == ExitCode.FINISHED_WITH_FAILURES
    assert verification.to_json()["failure"]["kind"] == "OSError"


def test_a_repetition_that_failed_early_claims_no_difference_of_what_it_did_not_record(
    store: Store, set_result: SetResult
) -> None:
    spec = spec_of(seed=1)
    save(store, spec, even(80, 60), code={"a.py": "1", "b.py": "1"}, inputs={"/no/such/w.pt": "2"})
    set_result(Failure(kind="OSError", message="no weights", log_tail="Traceback"), code={"a.py": "3"})
    assert verify_run(spec.id, store).format_lines() == [
        "not verified: the repeated run failed: OSError: no weights",
        "  facts that differed when it failed:",
        "    code.a.py: 1 -> 3",
    ]


def test_an_input_with_other_content_is_named_when_the_repetition_fails(
    store: Store, set_result: SetResult, tmp_path: Path
) -> None:
    (tmp_path / "w.pt").write_bytes(b"other")
    spec = spec_of(seed=1)
    save(store, spec, even(80, 60), inputs={str(tmp_path / "w.pt"): "0" * 64})
    set_result(Failure(kind="ValueError", message="changed"))
    lines = verify_run(spec.id, store).format_lines()
    digest = sha256(b"other").hexdigest()[:12]
    assert lines[1:] == [
        f"  input {tmp_path / 'w.pt'} has other content now: 000000000000 when it was read, {digest} now"
    ]


def test_a_refusal_comes_before_the_start_and_names_the_changed_file(store: Store, tmp_path: Path) -> None:
    (tmp_path / "w.pt").write_bytes(b"other")
    spec, started = spec_of(seed=1), []
    save(store, spec, even(80, 60), inputs={str(tmp_path / "w.pt"): "0" * 64})
    with pytest.raises(NotVerifiableError, match=r"cannot be verified: input .* has other content now"):
        verify_run(spec.id, store, begin=lambda: started.append(1))
    assert started == []


def test_the_repeated_run_is_kept_in_a_folder_without_it(store: Store, set_result: SetResult, tmp_path: Path) -> None:
    set_result(Failure(kind="OSError", message="no weights"))
    verify_run(SPEC.id, store, keep=tmp_path / "kept")
    assert Store(tmp_path / "kept").run(SPEC.id).read_record().failure is not None
    with pytest.raises(ValueError, match=r"holds .* already: give another folder"):
        verify_run(SPEC.id, store, keep=tmp_path / "kept")


def test_a_run_that_is_not_done_cannot_be_verified(store: Store) -> None:
    with pytest.raises(ValueError, match="is missing: only a run that is done"):
        verify_run(spec_of(seed=5).id, store)


@pytest.mark.parametrize(("gpu", "devices"), [(None, ("-1",)), (GPU, ())])
def test_a_run_without_a_gpu_is_repeated_without_one(gpu: Gpu | None, devices: tuple[str, ...]) -> None:
    assert verify._choose_resources(make_environment(gpu=gpu)).devices == devices
