"""Weight files of CLIP: in the user's folder, in the cache of the Hugging Face Hub, or on the Hub.

Downloads are kept in the user's folder, see `methods.blocks.clip.user_folder`, in the Hub's own layout; if the folder
is not set, in the Hub's default cache.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip
from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import (  # type: ignore[attr-defined]  # HTTPError is imported there
    EntryNotFoundError,
    HTTPError,
    OfflineModeIsEnabled,
)
from open_clip.constants import HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME

from methods.blocks.clip.image_encoder import Rgb
from methods.blocks.clip.user_folder import VARIABLE, find_user_file, get_user_folder

RESPONSE_TIMEOUT_S = 5.0
"""Seconds that the Hub may take to respond."""


@dataclass(frozen=True)
class Pretraining:
    """An entry of open_clip's table of pretrained weights.

    Attributes:
        model: Architecture of the weights; the table lists some weights under two architectures.
        tag: Name of the weights.
        is_quick: Whether the weights were trained with QuickGELU.
        mean: Pixel means, RGB in 0-1.
        std: Pixel standard deviations, RGB in 0-1.
        repository: Repository on the Hub.
        files: File names that the repository may use, preferred first.
        url: Another source of the same weights, or "".
    """

    model: str
    tag: str
    is_quick: bool
    mean: Rgb
    std: Rgb
    repository: str
    files: tuple[str, ...]
    url: str


def look_up_pretraining(model: str, tag: str) -> Pretraining | None:
    """Return the entry of a model and a tag; None if open_clip lists no such tag."""
    table: dict[str, Any] = open_clip.get_pretrained_cfg(model, tag)
    if not table:
        return None
    repository, _, name = table["hf_hub"].rpartition("/")
    return Pretraining(
        model=model,
        tag=tag,
        is_quick=bool(table.get("quick_gelu")),
        mean=table["mean"],
        std=table["std"],
        repository=repository,
        files=(name,) if name else (HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME),
        url=table["url"],
    )


def find_pixel_statistics(model: str) -> tuple[Rgb, Rgb] | None:
    """Return the pixel means and deviations of all listed weights of a model; None if there are none or they differ.

    SigLIP's are 0.5. Random weights, and files that are not recognized, then see the pixels that the model expects.
    """
    listed = [look_up_pretraining(model, tag) for tag in open_clip.list_pretrained_tags_by_model(model)]
    statistics = [(some.mean, some.std) for some in listed if some is not None]
    return statistics[0] if statistics and all(pair == statistics[0] for pair in statistics) else None


def recognize_weights(file: Path) -> Pretraining | None:
    """Return the entry of a weight file judging from its name and its folders; None if they are not recognized.

    Recognized are: file names of the user's folder; names of the downloads that open_clip lists (OpenAI's
    `ViT-B-16.pt`, OpenCLIP's and MetaCLIP's); and files in a folder that is named after their repository, as in the
    Hub's cache.
    """
    model, _, tag = file.stem.rpartition(".")
    if pretraining := look_up_pretraining(model, tag):
        return pretraining
    folders = {part.removeprefix("models--") for part in file.absolute().parts[:-1]}
    for model, tag in open_clip.list_pretrained():
        pretraining = look_up_pretraining(model, tag)
        assert pretraining is not None  # the tag was listed
        repository = pretraining.repository
        repository_folders = {repository.replace("/", "--"), repository.rpartition("/")[2]} - {""}
        if file.name == pretraining.url.rpartition("/")[2] or repository_folders & folders:
            return pretraining
    return None


def find_weights(pretraining: Pretraining) -> Path:
    """Return the file of listed weights: the user's own, a cached one, or a new download.

    Raises:
        ValueError: No file exists, and the download fails; one line says which file to download and where to put it.
    """
    return _find_local(pretraining) or _use_hub(pretraining, _download)


def check_weights_exist(pretraining: Pretraining) -> None:
    """Check that listed weights are on this machine or can be downloaded; errors as in `find_weights`."""
    if _find_local(pretraining) is None:
        _use_hub(pretraining, lambda _, name: Path(name))


def _find_local(pretraining: Pretraining) -> Path | None:
    """Return the user's own file or a cached one; None if there is neither."""
    file = find_user_file(pretraining.model, pretraining.tag)
    if file is not None:
        return file
    for cache in dict.fromkeys([get_user_folder(), None]):
        for name in pretraining.files:
            cached = try_to_load_from_cache(pretraining.repository, name, cache_dir=cache)
            if isinstance(cached, str):
                return Path(cached)
    return None


def _download(pretraining: Pretraining, name: str) -> Path:
    return Path(hf_hub_download(pretraining.repository, name, cache_dir=get_user_folder()))


def _use_hub(pretraining: Pretraining, use: Callable[[Pretraining, str], Path]) -> Path:
    """Return what a function makes of the first file that the Hub has."""
    try:
        for name in pretraining.files:
            if _is_on_hub(pretraining.repository, name):
                return use(pretraining, name)
        reason = "the repository has none of these files"
    except OfflineModeIsEnabled:
        reason = "HF_HUB_OFFLINE is set"
    except (OSError, HTTPError) as error:  # of the system, or of the HTTP client of the Hub's library
        reason = str(error).strip().partition("\n")[0][:80] or type(error).__name__
    raise ValueError(_explain_download(pretraining, reason=reason))


def _is_on_hub(repository: str, name: str) -> bool:
    """Send one request with a timeout; a download without network access would retry for most of a minute."""
    try:
        get_hf_file_metadata(hf_hub_url(repository, name), timeout=RESPONSE_TIMEOUT_S)
    except EntryNotFoundError:
        return False
    return True


def _explain_download(pretraining: Pretraining, *, reason: str) -> str:
    """Say what to download, the important words first: run records keep about 500 characters of a message."""
    folder = get_user_folder()
    target = f"{folder if folder is not None else f'${VARIABLE}'}/{pretraining.model}.{pretraining.tag}"
    first, *others = pretraining.files
    alternatives = "".join(f" (or {name}, as {Path(name).suffix})" for name in others)
    return (
        f"weights {pretraining.tag!r} of {pretraining.model!r} cannot be downloaded ({reason}): save {first} of the "
        f"Hub repository {pretraining.repository} as {target}{Path(first).suffix}{alternatives}, or set clip.weights "
        f"to its path{f'; the same weights: {pretraining.url}' if pretraining.url else ''}; to try a run without them, "
        "set clip.model=toy-ViT-8 and clip.weights=toy"
    )
