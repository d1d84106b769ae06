"""What decides the last bits of a result: one phrase, and the facts in which two environments differ."""

from __future__ import annotations

from benchmark.core.environment import describe_arithmetic, list_differences
from tests.core.machines import FLAGS, GPU, make_environment


def test_pinned_arithmetic_does_not_name_the_processor() -> None:
    assert describe_arithmetic(make_environment()) == "torch AVX2, oneDNN up to AVX2, MKL COMPATIBLE, 1 thread"


def test_arithmetic_that_follows_the_processor_names_it() -> None:
    environment = make_environment(threads=2, cpu_capability="AVX512", mkl_branch="auto", variables={})
    expected = "torch AVX512, oneDNN by CPU, MKL auto by CPU, Test CPU, 2 threads"
    assert describe_arithmetic(environment) == expected


def test_the_arithmetic_of_a_gpu_begins_with_its_libraries_and_switches() -> None:
    flags = FLAGS.model_copy(update={"tf32_cudnn": True, "deterministic": True})
    phrase = describe_arithmetic(make_environment(gpu=GPU, flags=flags))
    assert phrase.startswith("Test GPU, CUDA 13.0, cuDNN 92400, driver 580.1, TF32; CPU side: torch AVX2")


def test_another_version_of_torch_is_another_arithmetic() -> None:
    environment = make_environment().model_copy(update={"packages": {"torch": "2.11.0"}})
    assert describe_arithmetic(environment).startswith("torch 2.11.0 AVX2, ")


def test_equal_environments_have_no_differences() -> None:
    assert list_differences(make_environment(), make_environment()) == {}


def test_differences_are_named_down_to_the_single_fact() -> None:
    other = make_environment(threads=2, mkl_branch="auto", variables={"ATEN_CPU_CAPABILITY": "avx2"})
    assert list_differences(make_environment(), other) == {
        "machine.mkl_branch": ("COMPATIBLE", "auto"),
        "machine.variables.ONEDNN_MAX_CPU_ISA": ("AVX2", "absent"),
        "threads": ("1", "2"),
    }


def test_every_fact_of_a_gpu_differs_from_a_run_on_the_cpu() -> None:
    differences = list_differences(make_environment(), make_environment(gpu=GPU))
    assert differences["machine.gpu.compute_capability"] == ("absent", "9.0")
    assert len(differences) == 6
