"""Weight files that people give us: read completely, without running any code in them, or refused with the reason.

Of a training checkpoint, the tensors are used, and every other object in it (settings, numbers of NumPy, optimizers of
other libraries) is replaced by a stand-in that holds nothing.
"""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

TABLES = ("state_dict", "model", "model_state_dict", "model_state", "module", "network", "net", "params", "weights")
"""Keys under which training checkpoints keep the tensors of a model."""
PREFIXES = ("module.", "_orig_mod.", "model.")
"""Prefixes that data-parallel training, `torch.compile` and Lightning add to every name."""
CODE_MODULES = ("builtins", "importlib", "nt", "os", "posix", "runpy", "shutil", "subprocess", "sys", "webbrowser")
"""Modules whose functions have no place in a checkpoint."""
MAX_FOREIGN_TYPES = 200

_UNREADABLE = (
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SafetensorError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
)
"""Errors of reading a file that is no checkpoint: unpickling arbitrary bytes may raise any of these."""
_FOREIGN = re.compile(r"Unsupported global: GLOBAL (\S+) was not an allowed global")
_BLOCKED = re.compile(r"unsupported GLOBAL (\S+) whose module \S+ is blocked")


def find_problem_of_file(file: Path) -> str:
    """Return why a file can hold no weights, judging from its first bytes; empty if it may hold some.

    Args:
        file: File to look at; reading its content is left to `read_tensors`.
    """
    if not file.exists():
        return "there is no such file: give the path of a weight file"
    if not file.is_file():
        return "this is a folder: give the path of a weight file in it"
    try:
        with file.open("rb") as stream:
            head = stream.read(256).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    if not head:
        return "the file is empty: download it again"
    if head.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return "it is a web page: download the file itself, not the page that shows it"
    if head.startswith(b"version https://git-lfs"):
        return "it is a pointer of Git LFS and not the file itself: run git lfs pull where it was cloned"
    if head.startswith((b"/annex/", b"../.git/annex", b".git/annex")):
        return "it is a pointer of git-annex and not the file itself: run git annex get"
    return ""


def read_tensors(file: Path) -> dict[str, Tensor]:
    """Read the tensors of a weight file by name.

    The content decides on the format, whatever the suffix: safetensors, a TorchScript archive, or a file written by
    `torch.save`. Tensors may be in a table of a training checkpoint, and prefixes that all names share are removed.

    Raises:
        ValueError: The file is missing, truncated, no checkpoint, or holds no tensors by name.
    """
    problem = find_problem_of_file(file)
    if problem:
        raise ValueError(f"cannot load weights: {file}: {problem}")
    try:
        content = _read(file)
    except _UNREADABLE as error:
        raise ValueError(f"cannot load weights: {file} {_explain(error)}") from error
    return _remove_prefixes(_find_table(content, file))


def read_shapes(file: Path) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the tensors in a weight file by name; read again only if its size or time changes.

    Raises:
        ValueError: See `read_tensors`.
    """
    stat = file.stat()
    return dict(_read_shapes_of_unchanged(file, stat.st_size, stat.st_mtime_ns))


@lru_cache(maxsize=32)
def _read_shapes_of_unchanged(file: Path, _size: int, _time_ns: int) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in read_tensors(file).items()}


def load_tensors(model: nn.Module, tensors: Mapping[str, Tensor], *, description: str) -> None:
    """Load every tensor of a model, converting each to the precision of the model.

    Args:
        model: Model whose tensors are replaced.
        tensors: Exactly the tensors of the model.
        description: Names of the file and the model for error messages.

    Raises:
        ValueError: A shape differs, a tensor is missing or unknown, or a number is not finite. The model is unchanged.
    """
    expected, tensors = model.state_dict(), dict(tensors)
    for name in expected:
        if name in tensors and tensors[name].numel() == expected[name].numel() == 1:
            tensors[name] = tensors[name].reshape(expected[name].shape)  # the temperature of a CLIP is () or (1,)
    shapes = {name: tuple(value.shape) for name, value in tensors.items()}
    problem = compare_shapes(shapes, {name: tuple(value.shape) for name, value in expected.items()})
    if problem:
        raise ValueError(f"cannot load weights: {description} {problem}")
    broken = [name for name, value in tensors.items() if value.is_floating_point() and not value.isfinite().all()]
    if broken:
        raise ValueError(f"cannot load weights: {description}: {broken[0]} is not finite; download the file again")
    model.load_state_dict(tensors)


def compare_shapes(found: Mapping[str, tuple[int, ...]], expected: Mapping[str, tuple[int, ...]]) -> str:
    """Return how the tensors of a file differ from those of a model; empty if they have the same names and shapes."""
    misshapen = [name for name in expected if name in found and found[name] != expected[name]]
    if misshapen:
        name = misshapen[0]
        return f"differ in architecture: {name} of the file is {found[name]}, the model's {expected[name]}"
    missing = [name for name in expected if name not in found]
    unknown = [name for name in found if name not in expected]
    if not missing and not unknown:
        return ""
    counts = (_describe_count("missing", missing, len(expected)), _describe_count("unknown", unknown, len(found)))
    return f"do not match: {', '.join(counts)}"


def _describe_count(kind: str, names: list[str], total: int) -> str:
    return f"{len(names)} of {total} tensors are {kind}" + (f" (first {names[0]})" if names else "")


def _read(file: Path) -> Any:
    if _is_safetensors(file):
        return load_file(file)
    if _is_torchscript(file):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*torch.jit.load", category=FutureWarning)
            return torch.jit.load(file, map_location="cpu").state_dict()
    return _read_pickled(file)


def _is_safetensors(file: Path) -> bool:
    """Return whether a file begins with the length of a header and the header, or claims to by its suffix."""
    with file.open("rb") as stream:
        head = stream.read(9)
    is_named_so = file.suffix == ".safetensors" and not head.startswith((b"PK", b"\x80"))
    return is_named_so or (head[8:] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= file.stat().st_size)


def _is_torchscript(file: Path) -> bool:
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


class _StandIn:
    """Stand-in for an object of a type that is neither known nor needed; it ignores what it is made from."""

    def __new__(cls, *_: Any, **__: Any) -> Self:
        return super().__new__(cls)

    def __setstate__(self, _: object) -> None:
        pass


def _read_pickled(file: Path) -> Any:
    """Read a file of `torch.save`, with stand-ins for all objects that are no plain data."""
    stand_ins: list[Any] = []
    while True:
        try:
            # a stream, as torch judges paths by their suffix
            with file.open("rb") as stream, torch.serialization.safe_globals(stand_ins):
                return torch.load(stream, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            blocked, foreign = _BLOCKED.search(str(error)), _FOREIGN.search(str(error))
            name = (blocked or foreign or [""])[1 if blocked or foreign else 0].rstrip(".")
            if blocked or name.partition(".")[0] in CODE_MODULES:
                raise ValueError(f"runs the function {name} when it is read") from error
            if not name or len(stand_ins) == MAX_FOREIGN_TYPES:
                raise
            stand_ins.append((_StandIn, name))


def _explain(error: BaseException) -> str:
    """Return the predicate of a sentence about a file that could not be read."""
    if "when it is read" in str(error):
        return f"{error}, so it is refused: give a file that holds tensors alone, such as .safetensors"
    if isinstance(error, pickle.UnpicklingError):
        line = "it holds no pickled tensors"  # torch's own text is a page about its options
    elif "central directory" in str(error):
        line = "its zip archive has no end"  # torch's own text speaks of its reader
    else:
        line = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    advice = "download it again, or give a .safetensors file or one written by torch.save"
    return f"is truncated or no checkpoint ({line[:150]}): {advice}"


def _find_table(content: Any, file: Path) -> dict[str, Tensor]:
    """Return the table of tensors in the content of a file."""
    if isinstance(content, _StandIn):
        advice = "save its tensors instead, torch.save(model.state_dict(), file)"
        raise ValueError(f"cannot load weights: {file} holds no tensors by name but a whole object: {advice}")
    table = content
    while isinstance(table, Mapping) and not _has_tensors(table):
        table = next((table[key] for key in TABLES if isinstance(table.get(key), Mapping)), None)
    if isinstance(table, Mapping):
        return {str(name): value for name, value in table.items() if isinstance(value, Tensor)}
    keys = ", ".join(map(str, list(content)[:8])) if isinstance(content, Mapping) else type(content).__name__
    raise ValueError(f"cannot load weights: {file} holds no tensors by name but {keys or 'nothing'}: give a state dict")


def _has_tensors(table: Mapping[Any, Any]) -> bool:
    return any(isinstance(value, Tensor) for value in table.values())


def _remove_prefixes(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    prefix = next((prefix for prefix in PREFIXES if all(name.startswith(prefix) for name in tensors)), "")
    return _remove_prefixes({name.removeprefix(prefix): tensors[name] for name in tensors}) if prefix else tensors
