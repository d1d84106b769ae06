"""Encoding of captions by CLIP's text encoder, and captions without unseen classes."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.blocks.class_embeddings.tokenizers import Tokenizer
from methods.blocks.clip.config import Clip

SEEN_TEMPLATE = "a photo of {}"
"""Text in place of a caption, with the names of seen classes that the caption contains."""


class CaptionEncoder(nn.Module):
    """CLIP's frozen text encoder as a module, so that captions are encoded on the device of the method.

    Args:
        clip: A frozen open_clip CLIP, of which the text encoder is copied.
        tokenizer: Tokenizer of the CLIP.
    """

    def __init__(self, clip: Clip, *, tokenizer: Tokenizer) -> None:
        super().__init__()
        self._tokenizer = tokenizer
        self._tower = copy.deepcopy(clip, {id(clip.visual): None})  # the copy has no image encoder

    @torch.no_grad()
    def forward(self, texts: Sequence[str]) -> Tensor:
        """Encode N texts, cut to the length that CLIP reads, as (N, D) unit vectors in float32."""
        device = self._tower.logit_scale.device
        ids = self._tokenizer.tokenize(texts, length=self._tower.context_length).ids.to(device)
        with torch.autocast(device.type, enabled=False):
            return F.normalize(self._tower.encode_text(ids).float(), dim=1)


def describe_seen(caption: str, names: Sequence[str]) -> str:
    """Reduce a caption to the names of seen classes, so that nothing else of the caption reaches the training.

    Names are found as whole words, in upper or lower case, also with a plural s; a longer seen name hides the shorter
    ones within it. A seen name is also found within a longer unseen one: "grass" in "tall grass".

    Args:
        caption: Any sentence.
        names: Names of the seen classes.

    Returns:
        A text with the names in the order in which they occur, or an empty one if no name does.
    """
    by_length = sorted(names, key=len, reverse=True)
    pattern = rf"\b({'|'.join(re.escape(name) for name in by_length)})s?\b"
    found = dict.fromkeys(match.group(1).lower() for match in re.finditer(pattern, caption, flags=re.IGNORECASE))
    return SEEN_TEMPLATE.format(" and ".join(found)) if found else ""
