"""Padding of training crops: its content changes no initial value, as it changes no loss and no prediction either.

Losses and predictions of every variant are in `tests/methods/test_contract.py`.
"""

from __future__ import annotations

from typing import cast

import pytest
import torch
from torch import Tensor

from methods.blocks.padding import encode_without_padding
from methods.chimera_seg import ChimeraSeg
from tests.methods.cases import in_training, make_padded_batch


@pytest.mark.parametrize("variant", ["chimera_seg/Chimera-Seg", "chimera_seg/no CSH"])
def test_the_content_of_padding_changes_no_initial_value(variant: str) -> None:
    def initialize(content: str) -> dict[str, Tensor]:
        method = in_training(variant)
        with torch.no_grad():
            method.initialize([make_padded_batch(variant, content)])
        return cast(dict[str, Tensor], method.state_dict())

    first, second = initialize("one"), initialize("other")
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_the_teacher_sees_the_image_without_its_padding() -> None:
    variant = "chimera_seg/Chimera-Seg"
    method, batch = cast(ChimeraSeg, in_training(variant)), make_padded_batch(variant)
    cls = encode_without_padding(method.encode_cls, batch)
    torch.testing.assert_close(cls[0], method.encode_cls(batch[0]["image"][None, :, :13])[0])
