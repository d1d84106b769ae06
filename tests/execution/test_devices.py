"""GPUs shared by the runs of this machine: which there are, which a user chose, and how many runs they take."""

from __future__ import annotations

import pytest

from benchmark.execution.devices import choose_devices, choose_least_used, count_jobs, describe_devices, name_gpus


@pytest.mark.parametrize(
    ("count", "visible", "names"),
    [
        (0, None, ()),
        (2, None, ("0", "1")),
        (2, "3,5", ("3", "5")),
        (1, "3,-1,5", ("3",)),  # CUDA shows those before the first invalid one
        (0, "", ()),
        (1, "GPU-8f3a", ("GPU-8f3a",)),
        (1, "MIG-a,MIG-b", ("MIG-a", "MIG-b")),  # CUDA shows one of them to a process
        (0, "MIG-a", ()),
    ],
)
def test_gpus_are_named_as_the_environment_names_them(count: int, visible: str | None, names: tuple[str, ...]) -> None:
    assert name_gpus(count, {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}) == names


@pytest.mark.parametrize(
    ("request_", "gpus", "devices"),
    [
        (None, (), ()),
        (None, ("4", "6"), ("4", "6")),
        ("cpu", (), ("-1",)),
        ("cpu", ("4", "6"), ("-1",)),
        ("cuda", ("4", "6"), ("4", "6")),
        ("cuda:1", ("4", "6"), ("6",)),
        ("cuda:1, cuda:0,cuda:1", ("4", "6"), ("6", "4")),
    ],
)
def test_a_request_chooses_among_visible_gpus(
    request_: str | None, gpus: tuple[str, ...], devices: tuple[str, ...]
) -> None:
    assert choose_devices(request_, gpus) == devices


@pytest.mark.parametrize(
    ("request_", "gpus", "reason"),
    [
        ("cuda", (), "torch finds no CUDA device on this machine"),
        ("cuda:2", ("4", "6"), "'cuda:2' is not available: the GPUs that this process sees are cuda:0, cuda:1"),
        ("gpu", ("4",), "unknown device 'gpu': give cpu, cuda, cuda:1"),
        ("cpu,cuda:0", ("4",), "unknown device 'cpu,cuda:0'"),
        ("", ("4",), "unknown device ''"),
    ],
)
def test_an_impossible_device_is_refused_in_words(request_: str, gpus: tuple[str, ...], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        choose_devices(request_, gpus)


def test_runs_go_round_the_gpus_and_to_the_one_that_became_free() -> None:
    used: list[str] = []
    for _ in range(5):
        used.append(choose_least_used(("4", "6"), used))
    assert used == ["4", "6", "4", "6", "4"]
    assert choose_least_used(("4", "6"), ["4", "4", "6"]) == "6"
    assert choose_least_used((), ["4"]) == ""


@pytest.mark.parametrize(
    ("devices", "threads", "jobs"), [(("4", "6"), 1, 2), ((), 1, 8), ((), 3, 2), (("-1",), 1, 8), ((), 16, 1)]
)
def test_one_run_per_gpu_or_as_many_as_there_are_cores_for(devices: tuple[str, ...], threads: int, jobs: int) -> None:
    assert count_jobs(devices, cores=8, threads=threads) == jobs


def test_devices_are_described_in_a_few_words() -> None:
    assert [describe_devices(names) for names in ((), ("-1",), ("4",), ("4", "6"))] == [
        "",
        "the CPU",
        "GPU 4",
        "GPUs 4, 6",
    ]
