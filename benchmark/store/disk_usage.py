"""Sizes of files and folders."""

from __future__ import annotations

from pathlib import Path

_UNITS = ("B", "kB", "MB", "GB", "TB")


def measure_size(path: Path) -> int:
    """Return the bytes of a file, or of all files below a folder; files that vanish meanwhile do not count."""
    paths = [path] if path.is_file() else path.rglob("*")
    return sum(_read_size(file) for file in paths)


def format_size(size: int) -> str:
    """Format a number of bytes for people: 512 B, 1.3 MB."""
    value, unit = float(size), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} {_UNITS[unit]}" if unit == 0 or value >= 100 else f"{value:.1f} {_UNITS[unit]}"


def _read_size(path: Path) -> int:
    try:
        return 0 if path.is_dir() else path.lstat().st_size
    except OSError:
        return 0
