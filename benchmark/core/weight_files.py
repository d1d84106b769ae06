"""Weight files that people give us: read completely, without running any code in them, or refused with the reason.

Of a training checkpoint, the tensors of the model are used, and the name of the model if the file says it.
"""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from benchmark.core.pickled_files import StandIn, read_pickled

TABLES = ("state_dict", "model", "model_state_dict", "model_state", "module", "network", "net", "params", "weights")
"""Keys under which training checkpoints keep the tensors of a model."""
PREFIXES = ("module.", "_orig_mod.", "model.")
"""Prefixes that data-parallel training, `torch.compile` and Lightning add to every name."""
MAX_DEPTH = 4
"""Number of tables within each other in which tensors are looked for."""

SAVE_TENSORS = "save its tensors instead, torch.save(model.state_dict(), file)"
"""Advice for a file that holds objects of classes."""

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
_MODEL = re.compile(r"^model\s*=\s*dict\(\s*type=(['\"])(\w+)\1", re.MULTILINE)
"""Beginning of a model in the text of a config of mmseg."""


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


class WeightFile(NamedTuple):
    """Content of a weight file.

    Attributes:
        tensors: Tensors by name.
        model: Name of the model, which training checkpoints of mmseg have in the text of their config; else empty.
    """

    tensors: dict[str, Tensor]
    model: str


def read_tensors(file: Path) -> dict[str, Tensor]:
    """Read the tensors of a weight file by name; see `read_weight_file`."""
    return read_weight_file(file).tensors


def read_weight_file(file: Path) -> WeightFile:
    """Read the tensors of a weight file by name, and the name of its model.

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
    tensors = _find_tensors(content)
    if not tensors:
        raise ValueError(f"cannot load weights: {file} holds {_describe_content(content)}")
    return WeightFile(_remove_prefixes(tensors), _find_model(content))


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
    broken = [name for name, value in tensors.items() if value.is_floating_point() and not _is_finite(value)]
    if broken:
        raise ValueError(f"cannot load weights: {description}: {broken[0]} is not finite; download the file again")
    model.load_state_dict(tensors)


def _is_finite(value: Tensor) -> bool:
    """Return whether all numbers are finite. A finite sum, which is computed much faster, says so."""
    return bool(value.sum().isfinite()) or bool(value.isfinite().all())


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
    return read_pickled(file)


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


def _explain(error: BaseException) -> str:
    """Return the predicate of a sentence about a file that could not be read."""
    if "when it is read" in str(error):
        return f"{error}, so it is refused: give a file that holds tensors alone, such as .safetensors"
    if "persistent_load of storage" in str(error):
        return f"is a pickle of modules, which torch reads by running code alone: {SAVE_TENSORS}"
    if isinstance(error, pickle.UnpicklingError | LookupError | TypeError | AttributeError):
        line = "it holds no pickled tensors"  # torch's own text is a page about its options, or a number
    elif "central directory" in str(error):
        line = "its zip archive has no end"  # torch's own text speaks of its reader
    else:
        line = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    advice = "download it again, or give a .safetensors file or one written by torch.save"
    return f"is truncated or no checkpoint ({line[:150]}): {advice}"


def _find_tensors(content: Any, *, depth: int = MAX_DEPTH) -> dict[str, Tensor]:
    """Return the tensors of a table, or of a table in it, which comes before tensors beside it; empty if none are."""
    if not isinstance(content, Mapping) or not depth:
        return {}
    tables = (_find_tensors(content.get(key), depth=depth - 1) for key in TABLES)
    own = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    return next(filter(None, tables), own)


def _find_model(content: Any) -> str:
    """Return the name of a model that the config in a checkpoint of mmseg begins with; empty if there is none."""
    meta = content.get("meta") if isinstance(content, Mapping) else None
    texts = [meta.get(key) for key in ("config", "cfg")] if isinstance(meta, Mapping) else []
    found = [match[2] for text in texts if isinstance(text, str) and (match := _MODEL.search(text))]
    return found[0] if found else ""


def _describe_content(content: Any) -> str:
    """Return what a file without tensors by name holds, and what is expected."""
    if isinstance(content, StandIn):
        return f"a whole object, expected tensors by name: {SAVE_TENSORS}"
    expected = "expected tensors by name: give a file of torch.save(model.state_dict(), file)"
    if not isinstance(content, Mapping):
        kind = "a single tensor without a name" if isinstance(content, Tensor) else f"a {type(content).__name__}"
        return f"{kind}, {expected}"
    if not content:
        return f"an empty table, {expected}"
    names, more = ", ".join(map(str, list(content)[:8])), len(content) - 8
    names += f" and {more} more" if more > 0 else ""
    return f"a table of {names}, {expected}, or such a table under the key state_dict"


def _remove_prefixes(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    prefix = next((prefix for prefix in PREFIXES if all(name.startswith(prefix) for name in tensors)), "")
    return _remove_prefixes({name.removeprefix(prefix): tensors[name] for name in tensors}) if prefix else tensors
