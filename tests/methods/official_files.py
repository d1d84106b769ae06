"""Published files of all methods that read them: whole checkpoints of tiny models, as the authors' programs write them.

The tensors are those that the outputs of official code were computed with, see the tests of each method.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tests.methods import official_prompted, test_cat_seg, test_deop, test_zsseg
from tests.methods.blocks.side_adapter.tiny_san import SIDE, read_official_state
from tests.methods.official_tensors import draw_official_tensors

TEXT = {"context_length": 16, "vocab_size": 49408, "width": 8, "heads": 1, "layers": 1}
SHORT_TEXT = {**TEXT, "context_length": 8, "width": 16, "heads": 2, "layers": 2}
TOKENS = "sem_seg_head.predictor.clip_model.token_embedding.weight"


@dataclass(frozen=True)
class OfficialFile:
    """A published file of a method.

    Attributes:
        method: Name of the method.
        make: Function that returns the tensors by official name.
        clip: Architecture of the CLIP that the file was trained from.
        settings: Sizes of the model by dotted key.
        trained: Official name of a trained tensor.
        frozen: Official name of a frozen tensor.
        model: Name of the model in the config of mmseg; empty for a file of Detectron2.
    """

    method: str
    make: Callable[[], Mapping[str, Tensor]]
    clip: Mapping[str, Any]
    settings: Mapping[str, Any]
    trained: str
    frozen: str
    model: str = ""

    @cached_property
    def tensors(self) -> Mapping[str, Tensor]:
        """Tensors by official name."""
        return self.make()

    def save(self, path: Path, **changes: Tensor | None) -> Path:
        """Write the file, with other tensors by official name; None leaves a tensor out."""
        changed = {**self.tensors, **changes}
        tensors = OrderedDict((name, value) for name, value in changed.items() if value is not None)
        torch.save(_lay_out(tensors, model=self.model), path)
        return path

    def save_clip(self, folder: Path) -> None:
        """Write the architecture of CLIP into a folder of weights."""
        (folder / f"tiny-{self.method}.json").write_text(json.dumps(self.clip), encoding="utf-8")

    def list_options(self) -> Iterator[str]:
        """Yield the options of commands that select the sizes of the model, on two images of toybox."""
        clip = {"clip.model": f"tiny-{self.method}", "clip.weights": "random"}
        for key, value in {**clip, **self.settings}.items():
            yield from ("--set", f"{key}={json.dumps(value)}")
        yield from ("--split", "toybox", "--max-images", "2")


def _lay_out(tensors: OrderedDict[str, Tensor], *, model: str) -> dict[str, Any]:
    """Return a training checkpoint of mmseg, or of Detectron2 if there is no name of a model."""
    moments = {"step": torch.tensor(3.0), "exp_avg": torch.zeros(2)}
    optimizer = {"state": {0: moments}, "param_groups": [{"lr": np.float64(1e-4), "params": [0]}]}
    if not model:
        return {"model": tensors, "optimizer": optimizer, "scheduler": {"last_epoch": 9}, "iteration": 9}
    config = f"norm_cfg = dict(type='SyncBN')\nmodel = dict(\n    type='{model}',\n    backbone=dict(type='ViT'))\n"
    palette = np.zeros((2, 3), dtype=np.uint8)
    meta = {"config": config, "CLASSES": ("cat", "dog"), "PALETTE": palette, "iter": 9, "hook_msgs": {}}
    return {"meta": meta, "state_dict": tensors, "optimizer": optimizer}


def _describe_clip(
    *, dimension: int, width: int, depth: int, head: int, image: int, patch: int = 8, text: Mapping[str, Any] = TEXT
) -> dict[str, Any]:
    """Return the architecture of a CLIP of OpenAI's kind."""
    vision = {"image_size": image, "patch_size": patch, "width": width, "layers": depth, "head_width": head}
    return {"embed_dim": dimension, "quick_gelu": True, "vision_cfg": vision, "text_cfg": text}


def _make_prompted(method: str, model: str, *, depth: int, trained: str) -> OfficialFile:
    """Return the file of a member of ZegCLIP's family."""
    return OfficialFile(
        method,
        partial(official_prompted.make_official_weights, method),
        clip=_describe_clip(dimension=16, width=16, depth=depth, head=8, image=32),
        settings={"encoder.prompts.count": official_prompted.PROMPTS},
        trained=trained,
        frozen="backbone.transformer.resblocks.0.ln_1.weight",
        model=model,
    )


def _make_cat_seg() -> dict[str, Tensor]:
    """Return the official tensors with embeddings of all tokens, where the official outputs are of 32 tokens."""
    return test_cat_seg.load_official() | draw_official_tensors({TOKENS: (49408, 16)})


OFFICIAL_FILES = (
    _make_prompted("zegclip", "ZegCLIP", depth=3, trained="backbone.prompt_proj.weight"),
    _make_prompted("cascade_clip", "CascadeCLIP", depth=12, trained="backbone.prompt_proj.weight"),
    _make_prompted("otseg", "OTSeg", depth=3, trained="decode_head.q_proj.bias"),
    OfficialFile(
        "zsseg",
        test_zsseg.make_official_weights,
        clip=test_zsseg.TINY_CLIP,
        settings={"segmenter": test_zsseg.TINY.segmenter.model_dump(mode="json"), "hidden": test_zsseg.TINY.hidden},
        trained="sem_seg_head.predictor.mask_embed.layers.0.bias",
        frozen="backbone.stem.conv1.norm.running_mean",
    ),
    OfficialFile(
        "deop",
        test_deop.make_official_weights,
        clip=test_deop.TINY_CLIP,
        settings={
            "segmenter": test_deop.TINY.segmenter.model_dump(mode="json"),
            "learned_tokens": test_deop.TINY.learned_tokens,
            "positions.before": [0, 1, 2],
            "positions.grid": 4,
        },
        trained="decoder.layers.0.norm2.bias",
        frozen="clip_adapter.clip_model.visual.ln_post.weight",
    ),
    OfficialFile(
        "san",
        read_official_state,
        clip=_describe_clip(dimension=16, width=32, depth=8, head=16, image=32),
        settings={
            f"side.{name}": getattr(SIDE, name) for name in ("width", "depth", "heads", "patch", "queries", "channels")
        },
        trained="side_adapter_network.mask_decoder.bias_scaling.bias",
        frozen="clip_rec_head.resblocks.0.ln_1.weight",
    ),
    OfficialFile(
        "cat_seg",
        _make_cat_seg,
        clip=_describe_clip(dimension=16, width=16, depth=9, head=8, image=64, patch=16, text=SHORT_TEXT),
        settings={
            "aggregator.layers": 2,
            "aggregator.image_guidance": 8,
            "aggregator.text_guidance": 8,
            "decoder": test_cat_seg.DECODER.model_dump(mode="json"),
        },
        trained="upsample1.bias",
        frozen="sem_seg_head.predictor.clip_model.visual.ln_pre.weight",
    ),
)
