"""The batch script and its submission to programs that print what SLURM 22.05 prints.

Tests with a real cluster are in `test_sbatch_real`.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmark.utils.paths import ROOT
from slurm.requests import sbatch
from slurm.requests.resources import JobResources
from slurm.requests.sbatch import ArrayRequest, find_requested_clusters, render_script, send_array
from slurm.requests.sbatch_output import (
    QueuedArray,
    SubmissionRefusedError,
    SubmissionUncertainError,
)


def _request(
    folder: Path, *, tasks: int = 4, command: tuple[str, ...] = ("-m", "slurm.job", "m.json"), **options: Any
) -> ArrayRequest:
    return ArrayRequest(
        "cb-demo-0123abcd", "chimera-bench-1", command, tasks, folder, JobResources.model_validate(options)
    )


def _lines(folder: Path, **options: Any) -> list[str]:
    return render_script(_request(folder, **options)).splitlines()


def _install(folder: Path, name: str, text: str) -> dict[str, str]:
    """Install a program that is found before the real one, and return the environment for it."""
    (folder / "bin").mkdir(exist_ok=True)
    path = folder / "bin" / name
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)
    return {"PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}


SETTINGS = """
    {partition: "gpu,long", account: lab, qos: low, constraint: a100, nodelist: n1, exclude: n2, nodes: 2,
    exclusive: true, tasks_per_node: 3, gpus_per_node: 4, cpus_per_task: 5, mem_gb: 1.5, timeout_min: 90,
    signal_delay_s: 60, array_parallelism: 2, mail_type: FAIL, mail_user: me}
"""
OPTIONS = """
    partition=gpu,long account=lab qos=low constraint=a100 nodelist=n1 exclude=n2 nodes=2 exclusive ntasks-per-node=3
    gpus-per-node=4 cpus-per-task=5 mem=1536MB time=90 signal=USR2@60 array=0-3%2 mail-type=FAIL mail-user=me
    job-name=cb-demo-0123abcd comment=chimera-bench-1 open-mode=append requeue
"""


def test_the_script_has_an_option_for_every_setting(tmp_path: Path) -> None:
    lines = _lines(tmp_path, **yaml.safe_load(SETTINGS))
    options = {line.removeprefix("#SBATCH --") for line in lines if line.startswith("#SBATCH")}
    assert options == {*OPTIONS.split(), f"output={tmp_path}/%A_%a_0_log.out"}


def test_settings_that_are_not_given_are_left_to_the_cluster(tmp_path: Path) -> None:
    text = render_script(_request(tmp_path))
    assert not [option for option in ("time", "mem", "partition", "gpus", "gres", "wckey") if f"--{option}" in text]


def test_the_script_can_be_made_without_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert _lines(tmp_path)[0] == "#!/bin/bash"


def test_an_array_of_one_is_an_array(tmp_path: Path) -> None:
    assert "#SBATCH --array=0-0%1" in _lines(tmp_path, tasks=1)


def test_further_options_are_passed_on(tmp_path: Path) -> None:
    lines = _lines(tmp_path, additional_parameters={"mem": 0, "reservation": "my talk", "overcommit": True})
    assert {"#SBATCH --mem=0", "#SBATCH --reservation='my talk'", "#SBATCH --overcommit"} <= {*lines}


def _srun_words(folder: Path, **options: Any) -> list[str]:
    return shlex.split(next(line for line in _lines(folder, **options) if line.startswith("srun")))


def test_a_step_has_the_processors_of_its_job_and_writes_one_log_per_task(tmp_path: Path) -> None:
    words = _srun_words(tmp_path, cpus_per_task=5, srun_args=["--container-image=a b"])
    assert {"--cpus-per-task=5", "--container-image=a b"} <= {*words}
    assert words[words.index("--output") + 1] == f"{tmp_path}/%A_%a_%t_log.out"


def test_words_with_spaces_stay_together(tmp_path: Path) -> None:
    words = _srun_words(tmp_path, command=("-c", "print('a  b')", "$HOME"))
    assert words[-8:] == [sys.executable, "-u", "-P", "-c", "print('a  b')", "$HOME", "||", "code=$?"]


def test_a_container_precedes_its_python_and_both_are_read_by_the_nodes_shell(tmp_path: Path) -> None:
    lines = _lines(tmp_path, container='apptainer exec "$SCRATCH/a.sif"', python="python3")
    assert any(
        ' apptainer exec "$SCRATCH/a.sif" python3 -u -P -m slurm.job m.json || code=$?' in line for line in lines
    )


def test_tasks_end_together(tmp_path: Path) -> None:
    assert "--kill-on-bad-exit=1" in _srun_words(tmp_path, tasks_per_node=2)
    assert "--kill-on-bad-exit=1" not in _srun_words(tmp_path)


@pytest.mark.parametrize("name", ["a\\b", "a\nb", "a\x1bb", "a\udcffb", "100%job"])
def test_a_folder_that_slurm_would_misread_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="use a path in UTF-8 without"):
        render_script(_request(tmp_path / name))


def test_percent_signs_of_a_folder_are_not_patterns_of_slurm(tmp_path: Path) -> None:
    lines = _lines(tmp_path / "100% it's")
    output = next(line for line in lines if line.startswith("#SBATCH --output="))
    assert shlex.split(output.removeprefix("#SBATCH --output=")) == [f"{tmp_path}/100%% it's/%A_%a_0_log.out"]


def test_a_step_passes_on_what_setup_exports_even_if_the_job_got_no_environment(tmp_path: Path) -> None:
    words = _srun_words(tmp_path, additional_parameters={"export": "NONE"}, srun_args=["--export=MINE"])
    assert [word for word in words if word.startswith("--export")] == ["--export=ALL", "--export=MINE"]


@pytest.mark.parametrize(
    ("shell", "profile", "clusters"),
    [
        ({}, {}, ""),
        ({"SLURM_CLUSTERS": "big"}, {}, "big"),
        ({"SLURM_CLUSTERS": "big", "SBATCH_CLUSTERS": "huge"}, {}, "huge"),
        ({"SLURM_CLUSTERS": "big"}, {"clusters": "small,tiny"}, "small,tiny"),
    ],
)
def test_the_profile_selects_the_clusters_else_the_shell(shell: dict, profile: dict, clusters: str) -> None:
    resources = JobResources(additional_parameters=profile)
    assert find_requested_clusters(resources, shell) == clusters


def test_clusters_that_are_not_named_one_by_one_are_refused() -> None:
    with pytest.raises(ValueError, match="name the clusters"):
        find_requested_clusters(JobResources(), {"SLURM_CLUSTERS": "all"})


def _run(folder: Path, *, code: int, requeues: str = "true", **options: Any) -> tuple[int, list[str]]:
    """Run a script in bash as element 3 of array 77; return its exit code and the calls of scontrol."""
    calls = folder / "calls"
    calls.touch()
    path = _install(folder, "srun", f'echo "$PYTHONPATH" > {folder}/path; exit {code}')
    _install(folder, "scontrol", f'echo "$@" >> {calls}; {requeues}')
    _install(folder, "sleep", "true")
    environment = os.environ | path | {"SLURM_ARRAY_JOB_ID": "77", "SLURM_ARRAY_TASK_ID": "3", "PYTHONPATH": ":/mine::"}
    done = subprocess.run(["bash", "-c", render_script(_request(folder, **options))], env=environment, check=False)
    return done.returncode, calls.read_text().splitlines()


@pytest.mark.parametrize("code", [85, 137, 140, 143])
def test_only_the_element_of_a_resumable_job_is_requeued(code: int, tmp_path: Path) -> None:
    assert _run(tmp_path, code=code) == (code, ["requeue 77_3"])


@pytest.mark.parametrize("code", [0, 1, 3, 130, 139])
def test_a_job_that_has_ended_is_not_requeued(code: int, tmp_path: Path) -> None:
    assert _run(tmp_path, code=code) == (code, [])


def test_a_job_is_not_requeued_if_the_profile_forbids_it(tmp_path: Path) -> None:
    assert _run(tmp_path, code=85, requeue=False) == (85, [])
    assert "#SBATCH --no-requeue" in _lines(tmp_path, requeue=False)


def test_requeueing_is_tried_more_than_once(tmp_path: Path) -> None:
    assert _run(tmp_path, code=85, requeues="false") == (85, ["requeue 77_3"] * 3)


def test_setup_may_let_errors_end_the_script(tmp_path: Path) -> None:
    assert _run(tmp_path, code=85, setup=["set -eu"]) == (85, ["requeue 77_3"])
    assert _run(tmp_path, code=0, setup=["set -e", "(exit 9)"])[0] == 9


def test_nodes_find_this_package_first_and_nothing_in_the_working_folder(tmp_path: Path) -> None:
    _run(tmp_path, code=0)
    assert (tmp_path / "path").read_text().strip() == f"{ROOT}:/mine"


def test_sending_returns_the_id_and_keeps_the_script(tmp_path: Path) -> None:
    environment = _install(tmp_path, "sbatch", '[ "$1" = --parsable ] && cp "$2" "$2.seen"; echo "4711;big"')
    request = _request(tmp_path)
    assert send_array(request, environment) == QueuedArray("4711", "big")
    assert (tmp_path / "batch.sh.seen").read_text() == (tmp_path / "batch.sh").read_text() == render_script(request)


def _sbatch_environment(folder: Path, variables: dict[str, str], **options: Any) -> dict[str, str]:
    """Return the environment that sbatch receives."""
    environment = _install(folder, "sbatch", f"env -0 > {folder}/env; echo Submitted batch job 1") | variables
    send_array(_request(folder, **options), environment)
    return dict(entry.split("=", 1) for entry in (folder / "env").read_text().split("\0") if entry)


def test_variables_do_not_override_a_profile(tmp_path: Path) -> None:
    variables = {"SBATCH_PARTITION": "a", "SBATCH_ACCOUNT": "b", "SBATCH_TIMELIMIT": "1", "SBATCH_JOB_NAME": "c"}
    environment = _sbatch_environment(tmp_path, variables, partition="gpu")
    assert {name for name in environment if name.startswith("SBATCH_")} == {"SBATCH_ACCOUNT"}


def test_a_job_submitted_within_a_job_inherits_nothing_from_it(tmp_path: Path) -> None:
    outer = {"SLURM_JOB_ID": "9", "SLURM_MEM_PER_CPU": "1", "SLURM_RESTART_COUNT": "2", "SRUN_CPUS_PER_TASK": "1"}
    environment = _sbatch_environment(tmp_path, outer | {"SLURM_CONF": "/etc/x"})
    assert {name for name in environment if name.startswith(("SLURM_", "SRUN_"))} == {"SLURM_CONF"}


def test_the_script_names_the_cluster_and_the_job_does_not_inherit_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_CLUSTERS", "big")
    request = replace(_request(tmp_path), clusters=find_requested_clusters(JobResources()))
    assert "#SBATCH --clusters=big" in render_script(request).splitlines()
    assert not {"SLURM_CLUSTERS", "SBATCH_CLUSTERS"} & _sbatch_environment(tmp_path, {"SBATCH_CLUSTERS": "x"}).keys()


def test_preferences_for_srun_are_kept_outside_a_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert _sbatch_environment(tmp_path, {"SLURM_CPU_BIND": "none"})["SLURM_CPU_BIND"] == "none"


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("kill -9 $$", "exit code -9"),
        ("echo thank you", "printed no job ID: 'thank you'"),
        ("exec sleep 60", "did not answer within 0 s while submitting cb-demo-0123abcd"),
    ],
)
def test_without_an_answer_the_submission_is_uncertain(
    program: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sbatch, "SBATCH_TIMEOUT_S", 60.0 if "sleep" not in program else 0.3)
    with pytest.raises(SubmissionUncertainError, match=message):
        send_array(_request(tmp_path), _install(tmp_path, "sbatch", program))


def test_a_machine_without_slurm_is_reported(tmp_path: Path) -> None:
    with pytest.raises(SubmissionRefusedError, match=r"sbatch cannot be run here .* login node"):
        send_array(_request(tmp_path), {"PATH": str(tmp_path)})
