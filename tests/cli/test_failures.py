"""A failed run has one sentence, with file, line and function, wherever a user looks at it."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.utils.exit_codes import ExitCode
from tests.cli.shell import run_command

METHOD = str(Path(__file__).with_name("tiny_method.py"))
SENTENCE = "ValueError in tiny_method.py:49 (losses): the loss fails as configured"


@pytest.mark.usefixtures("own_process")
def test_the_sentence_of_a_failure_is_the_same_everywhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHIMERA_BENCH_RUNS", str(tmp_path))
    options = ("--split", "toybox", "--seed", "0", "--set", "end=raise", "--max-images", "1")
    code, _, err = run_command(capsys, "run", METHOD, *options, "--name", "failing")
    assert code == ExitCode.FINISHED_WITH_FAILURES and SENTENCE in err
    (folder,) = tmp_path.glob("tiny-method-*")
    for command in (("status", "failing"), ("show", folder.name), ("table", "failing")):
        assert SENTENCE in " ".join(run_command(capsys, *command).out.split())
