"""Exceptions as failures: one line with type, file, line, function and message."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from benchmark.core.run_record import Failure
from benchmark.store.exceptions import explain_exception, locate_exception
from benchmark.utils.source_files import INIT

SOURCE = """\
import torch

def predict(batch):
    return score(batch)

def score(batch):
    return batch()
"""


def explain_in_method(work: Callable[[], object], folder: Path, *, name: str = "mine.py") -> Failure:
    """Raise an exception below line 7 of a method file, in `predict`, and return its failure."""
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(SOURCE)
    scope: dict[str, Callable[..., object]] = {}
    exec(compile(SOURCE, str(path), "exec"), scope)
    with pytest.raises(Exception) as caught:
        scope["predict"](work)
    return explain_exception(caught.value, method_files=[path])


def fail(error: Exception) -> None:
    raise error


def test_a_full_disk_is_named() -> None:
    failure = explain_exception(OSError(28, "cannot write x: No space left on device"))
    assert (
        failure.message == "the disk is full: cannot write x: No space left on device; free some space, then `retry` it"
    )


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (KeyError("no split 'a'; did you mean 'b'?"), "no split 'a'; did you mean 'b'?"),
        (KeyError("sem_seg"), "missing key 'sem_seg'"),
        (RuntimeError("two\n  lines"), "two lines"),
        (ValueError(), "no message; see the log"),
        (ImportError("no 'V' in '_external_method_0a1b.lib.x'"), "no 'V' in 'lib.x'"),
        (
            AttributeError("cannot assign module before Module.__init__() call"),
            "cannot assign module before Module.__init__() call: begin __init__ with super().__init__()",
        ),
    ],
)
def test_a_failure_is_described_in_one_line(error: Exception, message: str) -> None:
    assert explain_exception(error).message == message


def test_the_deepest_frame_of_the_method_is_named_with_the_function_of_the_contract(tmp_path: Path) -> None:
    failure = explain_in_method(lambda: fail(RuntimeError("my own bug")), tmp_path)
    assert failure.summary == "RuntimeError in mine.py:7 (predict): my own bug"


def test_a_frame_within_torch_is_not_the_place(tmp_path: Path) -> None:
    failure = explain_in_method(lambda: torch.nn.Conv2d(3, 2, 1)(torch.zeros(1, 4, 8, 8)), tmp_path)
    assert failure.summary.startswith(
        "RuntimeError in mine.py:7 (predict): Given groups=1, weight of size [2, 3, 1, 1]"
    )


def test_the_place_of_a_cause_is_named(tmp_path: Path) -> None:
    def fail_with_cause() -> None:
        raise ValueError("cannot build") from caught.value

    (tmp_path / "mine.py").write_text("1 / 0\n")
    with pytest.raises(ZeroDivisionError) as caught:
        exec(compile("1 / 0\n", str(tmp_path / "mine.py"), "exec"), {})
    with pytest.raises(ValueError, match="cannot build") as error:
        fail_with_cause()
    failure = explain_exception(error.value, method_files=[tmp_path / "mine.py"])
    assert failure.summary == "ValueError in mine.py:1 (import): cannot build"


def test_a_missing_target_in_predict_is_explained(tmp_path: Path) -> None:
    failure = explain_in_method(lambda: {}["sem_seg"], tmp_path)
    assert failure.message == "missing key 'sem_seg'; samples have no 'sem_seg' in predict, only in losses"


def test_tensors_on_two_devices_are_explained(tmp_path: Path) -> None:
    text = "Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!"
    failure = explain_in_method(lambda: fail(RuntimeError(text)), tmp_path)
    assert failure.message.endswith("(register_buffer), or create them on the images' device")


def test_one_image_under_batch_norm_is_answered_with_the_setting(tmp_path: Path) -> None:
    failure = explain_in_method(lambda: torch.nn.BatchNorm2d(2)(torch.ones(1, 2, 1, 1)), tmp_path)
    assert failure.message.endswith("set budget.batch_size to at least 2 times budget.micro_batches")


def test_an_exception_without_text_shows_its_line() -> None:
    with pytest.raises(AssertionError) as caught:
        fail(AssertionError())
    assert explain_exception(caught.value).message == "no message; raised by: raise error"


def test_a_package_file_is_named_with_its_folder(tmp_path: Path) -> None:
    failure = explain_in_method(lambda: fail(ValueError("x")), tmp_path, name=f"pack/{INIT}")
    assert failure.place == "pack/__init__.py:7 (predict)"


def test_files_without_a_frame_give_no_place(tmp_path: Path) -> None:
    assert locate_exception(OSError(errno.EIO, "x"), [tmp_path / "mine.py"]) == ""
