"""Exit codes of commands that start runs, and what they advise."""

from __future__ import annotations

import pytest

from benchmark.cli.local_runs import choose_exit_code
from benchmark.core.run_state import RunState
from benchmark.utils.exit_codes import ExitCode


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
