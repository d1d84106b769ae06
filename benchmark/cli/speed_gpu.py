"""`speed gpu`: training, evaluation and memory at the sizes of published protocols on this machine's GPU."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from benchmark.cli.console import print_note
from benchmark.cli.out_files import OutFile, Overwrite
from benchmark.cli.report_options import print_report
from benchmark.utils.exit_codes import ExitCode

if TYPE_CHECKING:
    from benchmark.execution.measure_devices import Device, SpeedRow
    from benchmark.profiling.device_speed import DeviceSpeed

COMMAND = "chimera-bench speed gpu"
HEADS = (
    *("row", "method", "precision", "batch", "training step", "bare body and head", "times the bare pass", "TFLOP/s"),
    *("of the peak", "training memory", "images/s", "times the forward pass", "evaluation memory", "note"),
)


def gpu(
    minutes: Annotated[
        float, typer.Option("--minutes", min=0.1, help="Time limit; what was measured until then is printed.")
    ] = 8.0,
    fmt: Annotated[Literal["txt", "md", "json"], typer.Option("--format", help="Format of the table.")] = "txt",
    out: OutFile = None,
    overwrite: Overwrite = False,
    threads: Annotated[int, typer.Option("--threads", min=1, help="CPU threads.")] = 1,
) -> None:
    """Measure training steps, evaluated images and peak memory at the sizes of published protocols.

    Needs neither data nor weights: images are noise, and weights are random. On a machine without a GPU, two small rows
    show what the table looks like.
    """
    from benchmark.execution.measure_devices import choose_rows, describe_device, measure_rows

    deadline_s = time.monotonic() + 60 * minutes
    device = describe_device()
    results: list[tuple[SpeedRow, DeviceSpeed]] = []
    is_interrupted = False
    try:
        for row, speed in measure_rows(choose_rows(), deadline_s=deadline_s, threads=threads):
            print_note(f"{row.method}, {row.title}, {row.precision}: {speed.note or 'measured'}")
            results.append((row, speed))
    except KeyboardInterrupt:
        if not results:
            raise
        is_interrupted = True
        print_note("interrupted: these rows were measured before")
    print_report(_format(device, results, fmt=fmt, minutes=minutes), fmt=fmt, out=out)
    if is_interrupted:
        raise typer.Exit(ExitCode.INTERRUPTED)


def _format(device: Device, results: list[tuple[SpeedRow, DeviceSpeed]], *, fmt: str, minutes: float) -> str:
    if fmt == "json":
        rows = [asdict(row) | asdict(speed) for row, speed in results]
        content = {"command": f"{COMMAND} --minutes {minutes:g}", "device": asdict(device), "rows": rows}
        return json.dumps(content, indent=1) + "\n"
    cells = [_format_row(row, speed, peak_tflops=device.peak_tflops) for row, speed in results]
    lines = [
        f"{device.name}, torch {device.torch}, by `{COMMAND} --minutes {minutes:g}`, random weights",
        _describe_peak(device),
    ]
    table = _format_markdown(cells) if fmt == "md" else _format_text(cells)
    return "\n".join([*lines, *([""] if fmt == "md" else []), *table]) + "\n"


def _describe_peak(device: Device) -> str:
    if not device.is_gpu:
        return "no GPU: two small rows in place of those at the sizes of published protocols"
    measured = f"{device.matmul_tflops:.3g} TFLOP/s in a product of large bfloat16 matrices"
    if device.stated_tflops is None:
        return f"peak: {measured}; no stated peak of this device is known here"
    return f"peak: {device.stated_tflops:.3g} TFLOP/s as stated for dense bfloat16; {measured}"


def _format_row(row: SpeedRow, speed: DeviceSpeed, *, peak_tflops: float | None) -> list[str]:
    ratio = speed.step_ms / speed.bare_ms if speed.step_ms and speed.bare_ms else None
    share = speed.tflops / peak_tflops if peak_tflops and speed.tflops and row.precision == "bf16-mixed" else None
    return [
        row.title,
        row.method,
        row.precision,
        str(speed.batch_size or "-"),
        _format_number(speed.step_ms, "{:.1f} ms"),
        _format_number(speed.bare_ms, "{:.1f} ms"),
        _format_number(ratio, "{:.2f}"),
        _format_number(speed.tflops, "{:.3g}"),
        _format_number(share, "{:.1%}"),
        _format_number(speed.train_peak_mb, "{:.0f} MB"),
        _format_number(speed.images_per_s, "{:.1f}"),
        _format_number(speed.eval_ratio, "{:.2f}"),
        _format_number(speed.eval_peak_mb, "{:.0f} MB"),
        speed.note,
    ]


def _format_number(value: float | None, template: str) -> str:
    return "-" if value is None else template.format(value)


def _format_markdown(rows: list[list[str]]) -> list[str]:
    rule = [":--" if index in (0, 1, 2, len(HEADS) - 1) else "--:" for index in range(len(HEADS))]
    return [f"| {' | '.join(cells)} |" for cells in (HEADS, rule, *rows)]


def _format_text(rows: list[list[str]]) -> list[str]:
    """Return one block of lines per row, which fits a terminal of any width."""
    width = max(map(len, HEADS))
    return [
        f"{head:<{width}}  {cell}".rstrip()
        for row in rows
        for head, cell in zip(("", *HEADS), ("", *row), strict=True)
        if cell or not head
    ]
