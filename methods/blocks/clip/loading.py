"""Loading of a frozen CLIP; open_clip is imported when a model is loaded, not when a run is planned."""

from __future__ import annotations

from methods.blocks.clip.config import AnyClipConfig, Clip


def load_clip(config: AnyClipConfig) -> Clip:
    """Build a CLIP, load its weights and freeze it.

    Raises:
        KeyError: open_clip has no such architecture.
        ValueError: Something of the architecture is not supported; or the weights are unknown, cannot be fetched, are
            broken, belong to another architecture, or were trained with another activation function.
    """
    from methods.blocks.clip.pretrained import build_clip  # not above: open_clip takes seconds to import

    return build_clip(config).eval().requires_grad_(False)
