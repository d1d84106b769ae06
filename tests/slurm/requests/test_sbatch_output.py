"""What sbatch prints on sites with their own banners and wrappers."""

from __future__ import annotations

import pytest

from slurm.requests.sbatch_output import QueuedArray, parse_sbatch


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
