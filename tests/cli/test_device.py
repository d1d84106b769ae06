"""`run --device` with real processes on a machine whose torch reports two GPUs that do not exist."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.store.store import Store
from benchmark.utils.exit_codes import ExitCode
from tests.cli.shell import TINY

ROOT = Path(__file__).resolve().parents[2]
FAKE_GPUS = """
import sys
if "run" in sys.argv:
    import torch.cuda
    torch.cuda.device_count = lambda: 2
    torch.cuda.is_available = lambda: False
elif "benchmark.execution.worker" in sys.orig_argv:
    import os
    print("sees", os.environ.get("CUDA_VISIBLE_DEVICES"), file=open(os.environ["SEEN"], "a"), flush=True)
    os._exit(0)
"""


def run(folder: Path, *options: str) -> tuple[list[str], str]:
    """Run two seeds whose workers end at once, and return what each worker saw, sorted, and the messages."""
    (folder / "sitecustomize.py").write_text(FAKE_GPUS)
    seen = folder / "seen.txt"
    environment = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    environment |= {"PYTHONPATH": str(folder), "SEEN": str(seen)}
    command = [sys.executable, "-m", "benchmark", "--runs", str(folder / "runs"), "run", TINY, "--max-images", "1"]
    command += ["--seed", "0", "--seed", "1", "--no-cost", *options]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == ExitCode.FINISHED_WITH_FAILURES, done.stderr
    return sorted(seen.read_text().splitlines()), done.stderr


def test_runs_share_the_gpus_one_each_by_default(tmp_path: Path) -> None:
    seen, messages = run(tmp_path)
    assert seen == ["sees 0", "sees 1"]
    assert "2 to run, 2 at a time on GPUs 0, 1" in messages


@pytest.mark.slow
@pytest.mark.parametrize(
    ("option", "expected", "words"), [("cpu", "sees -1", "on the CPU"), ("cuda:1", "sees 1", "on GPU 1")]
)
def test_the_device_is_chosen_by_an_option_and_changes_no_id(
    tmp_path: Path, option: str, expected: str, words: str
) -> None:
    seen, messages = run(tmp_path, "--device", option, "--jobs", "2")
    assert seen == [expected] * 2 and words in messages
    ids = Store(tmp_path / "runs").list_ids()
    assert all("cuda" not in run_id and "cpu" not in run_id for run_id in ids)
