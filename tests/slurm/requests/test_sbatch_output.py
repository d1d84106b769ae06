"""What sbatch prints on sites with their own banners and wrappers."""

from __future__ import annotations

import re

import pytest

from slurm.requests.sbatch_output import (
    ControllerBusyError,
    QueuedArray,
    QueueFullError,
    SubmissionRefusedError,
    SubmissionUncertainError,
    explain_refusal,
    parse_sbatch,
)

POLICY = "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)"


@pytest.mark.parametrize(
    ("output", "job", "name"),
    [
        ("4711\n", "4711", ""),
        ("4711;big\n", "4711", "big"),
        ("Checking job 1 of 1 ...\nProject lab has 2026 hours left\n4711\n", "4711", ""),
        ("4711;big-2.site\njob 1 of 1 was checked\n", "4711", "big-2.site"),
        ("Submitted batch job 4711\n", "4711", ""),
        ("*** job 12 of 12 ***\nSubmitted batch job 4711 on cluster big\n", "4711", "big"),
    ],
)
def test_the_number_of_an_array_is_found_among_other_lines(output: str, job: str, name: str) -> None:
    assert parse_sbatch(output) == QueuedArray(job, name)


@pytest.mark.parametrize("output", ["", "job 1 of 1\n", "2026\n4711\n", "Submitted batch job\n", "4711;\n"])
def test_an_ambiguous_output_has_no_number(output: str) -> None:
    assert parse_sbatch(output) is None


def _explain(stderr: str) -> Exception:
    error = explain_refusal(stderr, name="cb-demo-0123abcd", code=1)
    assert "\n" not in str(error)
    return error


ERROR = "sbatch: error: "
FAILED = "sbatch: error: Batch job submission failed: "
REFUSALS = [
    (f"{ERROR}invalid partition specified: x\n{FAILED}Invalid partition name specified", "specified: x, .*sinfo"),
    (f"{FAILED}Required partition not available (inactive or drain)", "partition must be one that is up"),
    (f"{FAILED}Invalid account or account/partition combination specified", "account and partition must be"),
    (f"{FAILED}Invalid qos specification", "qos must be"),
    (
        f"{ERROR}Memory specification can not be satisfied\n{FAILED}Requested node configuration is not available",
        "mem_gb",
    ),
    (f"{FAILED}Invalid feature specification", "constraint"),
    (f"{ERROR}Invalid generic resource (gres) specification", "gres"),
    (f"{FAILED}More processors requested than permitted", "cpus_per_task"),
    (f"{FAILED}Node count specification invalid", "no node fits: .*nodes"),
    (f"{FAILED}Invalid job array specification", "MaxArraySize"),
    (f"{FAILED}Requested time limit is invalid (missing or exceeds some limit)", "timeout_min must be"),
    (f"{ERROR}QOSMaxCpuPerUserLimit\n{FAILED}{POLICY}", "account or qos do not allow"),
    (
        f'{ERROR}Munge encode failed: Failed to connect to "munge.socket.2": Resource temporarily unavailable\n'
        f"{ERROR}slurm_send_node_msg: auth_g_create: REQUEST_SUBMIT_BATCH_JOB has authentication error\n"
        f"{FAILED}Protocol authentication error",
        "munge does not work",
    ),
    ("sbatch: fatal: Unable to process configuration file", "submit from a login node"),
    ("sbatch: unrecognized option '--foo=3'\nTry \"sbatch --help\" for more information", "option '--foo=3'"),
]


@pytest.mark.parametrize(("stderr", "message"), REFUSALS)
def test_a_refusal_is_one_line_in_the_words_of_slurm(stderr: str, message: str) -> None:
    error = _explain(stderr)
    assert type(error) is SubmissionRefusedError
    assert re.match(rf"sbatch refused cb-demo-0123abcd: .*{message}", str(error))


@pytest.mark.parametrize(
    ("stderr", "message"),
    [
        (f"{FAILED}Unable to contact slurm controller (connect failure)", "scontrol ping"),
        (f"{ERROR}_open_control: Resource temporarily unavailable", "temporarily unavailable"),
    ],
)
def test_a_busy_controller_has_its_own_error(stderr: str, message: str) -> None:
    error = _explain(stderr)
    assert isinstance(error, ControllerBusyError)
    assert re.match(rf"sbatch refused cb-demo-0123abcd: .*{message}", str(error))


@pytest.mark.parametrize(
    "stderr",
    [
        f"{ERROR}AssocMaxSubmitJobLimit\n{FAILED}{POLICY}",
        f"{ERROR}AssocGrpSubmitJobsLimit\n{FAILED}{POLICY}",
        f"{ERROR}QOSMaxSubmitJobPerUserLimit\n{FAILED}{POLICY}",
        f"{ERROR}MaxSubmitJobsPerAccount\n{FAILED}{POLICY}",
        f"{ERROR}Slurm temporarily unable to accept job, sleeping and retrying\n"
        f"{FAILED}Resource temporarily unavailable",
    ],
)
def test_a_full_queue_has_its_own_error(stderr: str) -> None:
    error = _explain(stderr)
    assert isinstance(error, QueueFullError)
    assert "no room for cb-demo-0123abcd" in str(error)


@pytest.mark.parametrize(
    "words",
    [
        "Socket timed out on send/recv operation",
        "Unable to contact slurm controller (receive failure)",
        "Zero Bytes were transmitted or received",
        "Protocol authentication error",
    ],
)
def test_after_a_broken_connection_the_submission_is_uncertain(words: str) -> None:
    error = _explain(f"{FAILED}{words}")
    assert isinstance(error, SubmissionUncertainError)
    assert words in str(error)
