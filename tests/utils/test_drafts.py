"""Drafts of processes that have ended are deleted, those of live ones are not."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmark.utils import drafts
from benchmark.utils.drafts import is_abandoned, list_abandoned_drafts, make_draft_path, sweep_drafts

CHILD = """
import sys, time
from pathlib import Path
from benchmark.utils.atomic_files import open_draft
with open_draft(Path(sys.argv[1])) as draft:
    draft.write_bytes(bytes(1000))
    print(draft, flush=True)
    time.sleep(60)
"""


def start_writer(path: Path) -> tuple[subprocess.Popen[str], Path]:
    """Start a process that writes a draft, and return it with the draft."""
    command = [sys.executable, "-c", CHILD, str(path)]
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_a_draft_is_swept_once_its_writer_was_killed(tmp_path: Path) -> None:
    process, draft = start_writer(tmp_path / "attempts" / "01" / "checkpoint.pt")
    with process:
        assert (sweep_drafts(tmp_path), draft.exists()) == (0, True)
        process.kill()
    assert list(list_abandoned_drafts(tmp_path)) == [draft]
    assert (sweep_drafts(tmp_path), draft.exists()) == (1000, False)


def test_a_draft_of_another_host_is_swept_only_after_long_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(drafts, "_digest_host", lambda: "01234567")
        draft = make_draft_path(tmp_path / "checkpoint.pt")
    draft.touch()
    assert not is_abandoned(draft)
    os.utime(draft, (time.time() - 2 * drafts.MAX_SILENCE_S,) * 2)
    assert is_abandoned(draft)


def test_a_draft_of_a_reused_process_id_is_abandoned(tmp_path: Path) -> None:
    draft = make_draft_path(tmp_path / "checkpoint.pt")
    host, pid, born = draft.name.removeprefix(".draft-").split("-")[:3]
    assert not is_abandoned(draft)
    assert is_abandoned(tmp_path / f".draft-{host}-{pid}-{int(born) - 1}-01234567-checkpoint.pt")


def test_a_draft_keeps_the_suffix_of_a_long_name(tmp_path: Path) -> None:
    name = "x" * 240 + ".json"
    draft = make_draft_path(tmp_path / name)
    assert draft.suffix == ".json" and len(draft.name) < 255
