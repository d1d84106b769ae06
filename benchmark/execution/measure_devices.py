"""Speed of rows on a device within a time limit: each row in a process of its own, which is ended when time is up."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection

import torch

from benchmark.engine.device import choose_device
from benchmark.execution.measure_pace import PaceRequest, load_workload
from benchmark.execution.measuring_process import END_S, open_measuring_process
from benchmark.execution.runner import open_engine, prepare_torch
from benchmark.planning.resolve import outline
from benchmark.profiling.device_peak import find_stated_tflops, measure_matmul_tflops
from benchmark.profiling.device_speed import DeviceSpeed, measure_device_speed
from benchmark.store.environment import get_device_name
from benchmark.store.exceptions import explain_exception

IMAGES = 24
"""Evaluated images of a row, after the first."""


@dataclass(frozen=True)
class SpeedRow:
    """A row to measure.

    Attributes:
        title: What the row is, in the table.
        method: Method and variant.
        split: Name of the split.
        protocol: Name of the protocol.
        precision: Precision of the forward passes.
        bare_parts: Modules of the method that make a bare forward and backward pass one after the other; may be empty.
    """

    title: str
    method: str
    split: str
    protocol: str
    precision: str = "bf16-mixed"
    bare_parts: tuple[str, ...] = ()


BODY_AND_HEAD = ("body", "head")
PUBLISHED = (
    SpeedRow("zegclip, COCO 512 x 512", "chimera_seg", "coco_stuff164k", "zegclip", bare_parts=BODY_AND_HEAD),
    SpeedRow("zegclip, COCO 512 x 512", "zegclip", "coco_stuff164k", "zegclip"),
    SpeedRow("zsseg, COCO 640 x 640", "chimera_seg", "coco_stuff164k", "zsseg", bare_parts=BODY_AND_HEAD),
    SpeedRow("ADE20K, 847 classes", "chimera_seg", "ade20k_847", "zegformer", bare_parts=BODY_AND_HEAD),
    SpeedRow("zegclip, COCO, float32", "chimera_seg", "coco_stuff164k", "zegclip", "32-true", BODY_AND_HEAD),
    SpeedRow("zsseg, COCO 640 x 640", "san", "coco_stuff164k", "zsseg"),
)
"""Rows at the sizes of published protocols, the most important first, for a GPU."""
SMALL = (
    SpeedRow("toybox 64 x 64", "chimera_seg", "toybox", "plain", bare_parts=BODY_AND_HEAD),
    SpeedRow("toybox, float32", "zegclip", "toybox", "plain", "32-true"),
)
"""Rows that a CPU measures in half a minute."""


@dataclass(frozen=True)
class Device:
    """The device of all rows.

    Attributes:
        name: Name of the device.
        is_gpu: Whether it is a GPU; a CPU has no peak that says anything about bfloat16.
        torch: Version of torch.
        stated_tflops: Dense bfloat16 TFLOP/s that its maker states; None if unknown here.
        matmul_tflops: Bfloat16 TFLOP/s of a product of large matrices.
    """

    name: str
    is_gpu: bool
    torch: str
    stated_tflops: float | None
    matmul_tflops: float

    @property
    def peak_tflops(self) -> float | None:
        """Stated peak, or else the measured one; None for a CPU."""
        return (self.stated_tflops or self.matmul_tflops) if self.is_gpu else None


def choose_rows() -> Sequence[SpeedRow]:
    """Return the rows for the device of this machine."""
    return PUBLISHED if choose_device().type == "cuda" else SMALL


def describe_device() -> Device:
    """Measure and describe the device of this machine."""
    device, name = choose_device(), get_device_name()
    is_gpu = device.type == "cuda"
    return Device(name, is_gpu, torch.__version__, find_stated_tflops(name), measure_matmul_tflops(device))


def measure_rows(
    rows: Sequence[SpeedRow], *, deadline_s: float, threads: int
) -> Iterator[tuple[SpeedRow, DeviceSpeed]]:
    """Yield every row with what was measured of it before the deadline.

    Args:
        rows: Rows.
        deadline_s: Time on the monotonic clock at which the measurement ends.
        threads: CPU threads.
    """
    for row in rows:
        yield row, _measure_apart(row, deadline_s=deadline_s, threads=threads)


def _measure_apart(row: SpeedRow, *, deadline_s: float, threads: int) -> DeviceSpeed:
    """Measure a row in a new process."""
    latest = DeviceSpeed()
    if time.monotonic() >= deadline_s:
        return replace(latest, note="no time left")
    with open_measuring_process(_measure, row, threads) as (messages, process):
        try:
            while messages.poll(max(0.0, deadline_s - time.monotonic())):
                latest = messages.recv()
            return replace(latest, note="stopped: time is up")
        except EOFError:  # the process has ended
            process.join(END_S)
    return replace(latest, note=f"its process ended with exit code {process.exitcode}") if process.exitcode else latest


def _measure(row: SpeedRow, threads: int, sender: Connection) -> None:
    """Measure a row in this process and send the figures so far after each measurement."""
    latest = DeviceSpeed()

    def report(speed: DeviceSpeed) -> None:
        nonlocal latest
        latest = speed
        sender.send(speed)

    try:
        prepare_torch(threads)
        overrides = {"budget.precision": row.precision, "budget.micro_batches": 1}
        spec = outline(row.method, split=row.split, protocol=row.protocol, seed=0, overrides=overrides)
        work, _ = load_workload(PaceRequest(spec, images=IMAGES, has_random_weights=True))
        measure_device_speed(work, open_engine(spec), bare_parts=row.bare_parts, report=report)
    except Exception as error:
        sender.send(replace(latest, note=explain_exception(error).summary))
