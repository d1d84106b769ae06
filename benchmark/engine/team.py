"""What the processes of one run tell each other. Alone, everything is given back as it is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch import distributed as dist

from benchmark.engine.place import Place

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Lost(KeyboardInterrupt):
    """Another process of the run is gone. Like any interruption, it says nothing about the run, which may go on."""


@dataclass(frozen=True)
class _Failed:
    """What went wrong elsewhere, in words, as not every exception can travel."""

    message: str


class ProcessGroup:
    """The processes of a run: each calls the same methods in the same order.

    Args:
        place: of this process; the process group is that of `torch.distributed`.
    """

    def __init__(self, place: Place) -> None:
        self.place = place

    def together(self, work: Callable[[], T]) -> list[T]:
        """Do a piece of work in every process; what it gave in each, in the order of the ranks.

        Raises:
            RuntimeError: it failed in another process; says where and how. Where it failed itself, that is raised.
            Lost: a process is gone.
        """
        if self.place.is_alone:
            return [work()]
        try:
            value = work()
        except Exception as error:
            self._gathered(_Failed(f"{type(error).__name__}: {error}"))
            raise
        values = self._gathered(value)
        for rank, one in enumerate(values):
            if isinstance(one, _Failed):
                raise RuntimeError(f"process {rank} of {self.place.size} failed: {one.message}")
        return values

    def agree(self, work: Callable[[], T]) -> T:
        """Do a piece of work in every process; what it gave in this one. Raises as `together` does."""
        own: list[T] = []
        self.together(lambda: own.append(work()))
        return own[0]

    def any(self, is_so: bool) -> bool:
        """Whether something is so in any process."""
        return any(self.together(lambda: is_so))

    def wait(self) -> None:
        """Go on once every process is here."""
        self.together(lambda: None)

    def gather(self, tensor: Tensor) -> list[Tensor]:
        """The tensors of all processes, equal in shape, in the order of the ranks."""
        if self.place.is_alone:
            return [tensor]
        pieces = [torch.empty_like(tensor) for _ in range(self.place.size)]
        with _in_touch():
            dist.all_gather(pieces, tensor.contiguous())
        return pieces

    def share(self, tensors: Sequence[Tensor]) -> None:
        """Put the first process's content into the tensors of all."""
        if self.place.is_alone or not tensors:
            return
        packed = torch.cat([_bytes(tensor) for tensor in tensors])
        with _in_touch():
            dist.broadcast(packed, src=0)
        pieces = packed.split([tensor.numel() * tensor.element_size() for tensor in tensors])
        for tensor, piece in zip(tensors, pieces, strict=True):
            tensor.copy_(piece.clone().view(tensor.dtype).view_as(tensor))  # a clone, as bytes amid others lie anywhere

    def _gathered(self, value: Any) -> list[Any]:
        values: list[Any] = [None] * self.place.size
        with _in_touch():
            dist.all_gather_object(values, value)
        return values


def _bytes(tensor: Tensor) -> Tensor:
    return tensor.contiguous().flatten().view(torch.uint8)


@contextmanager
def _in_touch() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        _log.warning("another process of this run is gone: %s", error)
        raise Lost("another process of this run is gone") from error
