"""The page "Your first grid on a cluster", followed literally."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.utils.paths import ROOT
from slurm.testing import Cluster

PAGE = ROOT / "slurm" / "first_grid.md"


@pytest.mark.slow
def test_the_first_grid_works_as_the_page_says(cluster: Cluster, tmp_path: Path) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    commands = f'chimera-bench() {{ "{sys.executable}" -P -m benchmark "$@"; }}\nset -e\n' + "".join(blocks)
    environment = os.environ | cluster.environment | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-c", commands],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the cluster accepts a job of it" in done.stdout
    assert "module: command not found" in done.stdout
    assert "3 done in runs" in done.stdout and "From 3 runs" in done.stdout
