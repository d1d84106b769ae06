"""ImageNet weights of encoders: whether they are on this machine or can be downloaded; nothing is downloaded here."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

RESPONSE_TIMEOUT_S = 5.0
"""Seconds that the Hub may take to respond."""
TIMM_PREFIX = "tu-"
FILES = ("model.safetensors", "pytorch_model.bin")


@lru_cache(maxsize=32)
def check_imagenet_weights(encoder: str, *, setting: str = "body.weights", untrained: str = "null") -> None:
    """Check that the weights of an encoder are in the cache of the Hugging Face Hub or on the Hub.

    Args:
        encoder: Name of segmentation-models-pytorch, or "tu-" and a name of timm; one that exists.
        setting: Setting that asked for them, for the error message.
        untrained: Value of that setting for random weights.

    Raises:
        ValueError: There are no such weights, or they are not cached and the Hub cannot be reached.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.errors import (  # type: ignore[attr-defined]  # HTTPError is imported there
        EntryNotFoundError,
        HTTPError,
        OfflineModeIsEnabled,
    )

    repository, revision = _find_repository(encoder)
    if not repository:
        raise ValueError(
            f"encoder {encoder!r} has no pretrained weights: set {setting} to {untrained} or to a weight file"
        )
    if any(isinstance(try_to_load_from_cache(repository, name, revision=revision), str) for name in FILES):
        return
    reason = "the repository has none of these files"
    for name in FILES:
        try:
            get_hf_file_metadata(hf_hub_url(repository, name, revision=revision), timeout=RESPONSE_TIMEOUT_S)
            return
        except EntryNotFoundError:
            continue
        except OfflineModeIsEnabled:
            reason = "HF_HUB_OFFLINE is set"
            break
        except (OSError, HTTPError) as error:
            reason = str(error).strip().partition("\n")[0][:80] or type(error).__name__
            break
    raise ValueError(
        f"pretrained weights of encoder {encoder!r} cannot be downloaded ({reason}): load the Hub repository "
        f"{repository} into the cache of this machine, set {setting} to a weight file, or to {untrained} for random "
        "weights"
    )


def _find_repository(encoder: str) -> tuple[str, str | None]:
    """Return repository and revision of an encoder's weights; an empty repository if it has none."""
    if encoder.startswith(TIMM_PREFIX):
        import timm

        config: Any = timm.models.get_pretrained_cfg(encoder.removeprefix(TIMM_PREFIX), allow_unregistered=False)
        return (getattr(config, "hf_hub_id", None) or "") if config is not None else "", None
    from segmentation_models_pytorch.encoders import encoders

    settings = encoders[encoder]["pretrained_settings"].get("imagenet", {}) if encoder in encoders else {}
    return settings.get("repo_id", ""), settings.get("revision")
