"""The text bank: class names as unit vectors of CLIP's text tower."""

from __future__ import annotations

from collections.abc import Sequence

import open_clip
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.blocks.clip import Clip


@torch.no_grad()
def encode_names(clip: Clip, names: Sequence[str], *, template: str) -> Tensor:
    """Unit text vectors of class names in a prompt.

    Args:
        clip: a frozen open_clip CLIP.
        names: K class names.
        template: with one {} for the name.

    Returns:
        (K, D).
    """
    tokenize = open_clip.SimpleTokenizer(context_length=clip.context_length)
    return F.normalize(clip.encode_text(tokenize([template.format(name) for name in names])), dim=-1)


class TextBank(nn.Module):
    """Text vectors of the present vocabulary.

    The text tower works on the CPU, once for each vocabulary; it is not a part of the method that is trained, moved
    to a device or counted.
    """

    embeddings: Tensor

    def __init__(self, clip: Clip, *, template: str) -> None:
        super().__init__()
        self._tower = (clip, template)  # in a tuple: not a submodule
        self.register_buffer("embeddings", torch.empty(0), persistent=False)

    def set_classes(self, names: Sequence[str]) -> None:
        """Encode a vocabulary. Raises ValueError for an empty one."""
        if not names:
            raise ValueError("the vocabulary is empty: give at least one class name")
        clip, template = self._tower
        self.embeddings = encode_names(clip, names, template=template).to(self.embeddings.device)

    def forward(self) -> Tensor:
        """(K, D) unit vectors. Raises RuntimeError before the first `set_classes`."""
        if not len(self.embeddings):
            raise RuntimeError("no vocabulary yet: call set_classes(names) first")
        return self.embeddings
