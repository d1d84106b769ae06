"""Exit codes of commands that start runs, and what they advise."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.cli.local_runs import choose_exit_code
from benchmark.core.run_state import RunState
from benchmark.store.store import Store
from benchmark.utils.exit_codes import ExitCode
from tests.cli.shell import TINY, run_command


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ((RunState.DONE,), ExitCode.SUCCESS),
        ((RunState.DONE, RunState.RUNNING), ExitCode.BUSY),
        ((RunState.RUNNING, RunState.INTERRUPTED), ExitCode.INTERRUPTED),
        ((RunState.RUNNING, RunState.FAILED), ExitCode.FINISHED_WITH_FAILURES),
    ],
)
def test_a_command_succeeds_only_if_every_run_has_a_result(states: tuple[RunState, ...], code: ExitCode) -> None:
    assert choose_exit_code(states) == code


@pytest.mark.usefixtures("own_process")
def test_retry_repeats_a_run_whose_checkpoint_was_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["--runs", str(tmp_path), "run", TINY, "--seed", "0", "--no-cost"]
    run_command(capsys, *command)
    run = Store(tmp_path).run(Store(tmp_path).list_ids()[0])
    run.record_path.unlink()
    run.checkpoint_path.write_bytes(b"incomplete")
    code, _, err = run_command(capsys, *command)
    assert code == 3 and f"with its refused checkpoint kept in attempts/: chimera-bench --runs {tmp_path} retry" in err
    code, _, err = run_command(capsys, "--runs", str(tmp_path), "retry", run.id)
    kept = run.path / "attempts" / "02" / "checkpoint.pt"
    assert (code, kept.read_bytes()) == (0, b"incomplete")
    assert f"training starts again, and the refused checkpoint moves to {kept}" in err
