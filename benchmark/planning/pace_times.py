"""Estimates from measured paces: on the device of the measurement, or computed for a GPU that is not here.

A computed time is the number of operations over the peak of the GPU at a stated utilization, as a range. Its memory
begins at what cannot be avoided: parameters, gradients, two moments of the optimizer, and the tensors that are kept for
the backward pass, all of which exist at the end of the forward pass. It ends at the largest use that was measured for
the same images, with a tenth for fragmentation and 2 GB for the CUDA context and the work space of libraries.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.core.run_spec import RunSpec
from benchmark.planning.finished_runs import count_scored, count_trained
from benchmark.planning.run_time import RunTime
from benchmark.store.paces import Flops, MeasuredPace

BYTES, GB = 4, 2**30
TRAIN_UTILIZATION, EVAL_UTILIZATION = (0.3, 0.5), (0.1, 0.5)
"""Share of the peak that training, and evaluation of one image at a time, are assumed to reach."""
FRAGMENTATION, CONTEXT_GB = 1.1, 2.0
BUSY_SHARE = 0.8
"""Share of the time of its threads below which a measurement was slowed down by others."""
_BUSY = "; others used the machine, so the time is between that of its threads and that of the clock"


@dataclass(frozen=True)
class TargetGpu:
    """A GPU that is not on this machine. The default peaks are those of the A100 in its data sheet, without sparsity.

    Attributes:
        memory_gb: Memory in GB.
        fp32_tflops: Peak of float32 matrix products, which torch does not compute in TF32 by default.
        tf32_tflops: Peak in TF32, in which torch computes convolutions of float32 by default.
        bf16_tflops: Peak in bfloat16.
    """

    memory_gb: float
    fp32_tflops: float = 19.5
    tf32_tflops: float = 156.0
    bf16_tflops: float = 312.0

    def compute_s(self, flops: Flops, *, precision: str, utilization: tuple[float, float]) -> tuple[float, float]:
        """Return the lowest and highest number of seconds of operations."""
        if precision == "bf16-mixed":
            peak_s = flops.total / (self.bf16_tflops * 1e12)
        else:
            peak_s = flops.matrix / (self.fp32_tflops * 1e12) + flops.convolution / (self.tf32_tflops * 1e12)
        return peak_s / utilization[1], peak_s / utilization[0]

    def describe_peaks(self, precision: str) -> str:
        """Return the peaks that count at a precision, in words."""
        if precision == "bf16-mixed":
            return f"{self.bf16_tflops:g} TFLOP/s bf16 peak"
        return f"{self.fp32_tflops:g} TFLOP/s fp32 peak in matrix products, {self.tf32_tflops:g} TF32 in convolutions"


def estimate_from_pace(spec: RunSpec, pace: MeasuredPace, *, gpu: TargetGpu | None = None) -> RunTime:
    """Return the time of a run on the device of a measurement.

    Args:
        spec: Spec of the run.
        pace: Measured pace of its setting.
        gpu: GPU whose memory is asked about; None for none.
    """
    training, evaluation = pace.training, pace.evaluation
    seconds = pace.start_s + count_scored(spec) * evaluation.image_s
    cpu_s = count_scored(spec) * evaluation.cpu_s
    if training is not None:
        seconds += count_trained(spec) * training.pass_s / training.images
        cpu_s += count_trained(spec) * training.cpu_s / training.images
    is_busy = not pace.is_gpu and cpu_s / pace.threads < BUSY_SHARE * seconds
    images = _count_pass_images(spec)
    is_part = training is not None and training.images < images
    parts = "; times are scaled to the batch, memory is bounded from that of the part" if is_part else ""
    whole_gb = pace.process_mb / 1024
    memory_gb = _bound_memory(spec, pace, images=images, extra_gb=0.0) if is_part else (whole_gb, whole_gb)
    timed = _describe_timed(pace, images)
    threads = "" if pace.is_gpu else f", {pace.threads} thread{'s' * (pace.threads != 1)}"
    return RunTime(
        seconds=(cpu_s / pace.threads if is_busy else seconds, seconds),
        is_gpu=pace.is_gpu,
        threads=pace.threads,
        basis=f"measured here on {'GPU' if pace.is_gpu else 'CPU'}, {timed}",
        kind="measured",
        explanation=f"{timed} on {pace.device}{threads}{parts}{_BUSY * is_busy}; {pace.data}, weights {pace.weights}",
        memory_gb=memory_gb,
        verdict="" if gpu is None else _judge(memory_gb, gpu.memory_gb),
        facts=_list_facts(pace),
    )


def compute_for_gpu(spec: RunSpec, pace: MeasuredPace, gpu: TargetGpu) -> RunTime:
    """Return the time and memory of a run on a GPU that nothing was measured on.

    Args:
        spec: Spec of the run.
        pace: Pace of its setting on any device; its operations and its memory per image count.
        gpu: GPU to compute for.
    """
    precision, low_s, high_s = spec.budget.precision, 0.0, 0.0
    parts = [(count_scored(spec), pace.evaluation.flops, EVAL_UTILIZATION)]
    if pace.training is not None:
        parts.append((count_trained(spec), pace.training.flops, TRAIN_UTILIZATION))
    for images, flops, utilization in parts:
        low, high = gpu.compute_s(flops, precision=precision, utilization=utilization)
        low_s, high_s = low_s + images * low, high_s + images * high
    memory_gb = _bound_memory(spec, pace, images=_count_pass_images(spec), extra_gb=CONTEXT_GB)
    use = f"{gpu.describe_peaks(precision)}, at {_format_share(TRAIN_UTILIZATION)}"
    return RunTime(
        seconds=(low_s, high_s),
        is_gpu=True,
        threads=pace.threads,
        basis=f"computed for a {gpu.memory_gb:g} GB GPU, {use}",
        kind="computed",
        explanation=(
            f"no GPU was measured; operations over the peaks of an A100 ({use}, evaluation "
            f"{_format_share(EVAL_UTILIZATION)}), without reading of images, initialization and start; memory from "
            f"sizes on {pace.device}"
        ),
        memory_gb=memory_gb,
        verdict=_judge(memory_gb, gpu.memory_gb) + _advise(spec, pace, gpu, memory_gb),
        facts=_list_facts(pace),
    )


def _bound_memory(spec: RunSpec, pace: MeasuredPace, *, images: int, extra_gb: float) -> tuple[float, float]:
    """Return the least and the largest memory of a run in GB, see the module.

    Args:
        spec: Spec of the run.
        pace: Measured pace of its setting.
        images: Images of a training pass.
        extra_gb: Memory of the libraries.
    """
    training = pace.training
    states_gb = (pace.parameters + (3 * pace.trained if training is not None else 0)) * BYTES / GB
    saved_gb = 0.0 if training is None else images * training.saved_mb / 1024
    peak_gb = 0.0 if training is None else images * max(training.saved_mb, training.peak_mb) / 1024
    peak_gb = max(peak_gb, pace.evaluation.peak_mb / 1024)
    return states_gb + saved_gb, states_gb + FRAGMENTATION * peak_gb + extra_gb


def _advise(spec: RunSpec, pace: MeasuredPace, gpu: TargetGpu, memory_gb: tuple[float, float]) -> str:
    """Return the smallest number of micro-batches with which a run surely fits; empty if it fits without more."""
    if memory_gb[1] <= gpu.memory_gb or pace.training is None:
        return ""
    batch = spec.budget.batch_size
    for parts in range(spec.budget.micro_batches + 1, batch // 2 + 1):
        if batch % parts == 0:
            need_gb = _bound_memory(spec, pace, images=batch // parts, extra_gb=CONTEXT_GB)
            if need_gb[1] <= gpu.memory_gb:
                return f" (fits with budget.micro_batches={parts})"
    return ""


def _judge(memory_gb: tuple[float, float], available_gb: float) -> str:
    low, high = memory_gb
    return "fits" if high <= available_gb else "does not fit" if low > available_gb else "may not fit"


def _count_pass_images(spec: RunSpec) -> int:
    return spec.budget.batch_size // spec.budget.micro_batches


def _describe_timed(pace: MeasuredPace, images: int) -> str:
    """Say how much was timed, of runs whose training passes have a number of images."""
    training = pace.training
    if training is None:
        return f"{pace.evaluation.images} image{'s' * (pace.evaluation.images != 1)}"
    if training.images == images:
        return f"{training.passes} step{'s' * (training.passes != 1)}"
    return f"{training.passes} pass{'es' * (training.passes != 1)} of {training.images} of {images} images"


def _format_share(utilization: tuple[float, float]) -> str:
    return f"{100 * utilization[0]:.0f}-{100 * utilization[1]:.0f} %"


def _list_facts(pace: MeasuredPace) -> dict[str, object]:
    return {"pace": pace.model_dump(mode="json")}
