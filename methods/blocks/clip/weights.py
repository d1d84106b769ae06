"""Where CLIP's weights lie: in the user's own folder, in the hub's cache, on the hub; and what is known of a file.

The user's folder is $CHIMERA_BENCH_WEIGHTS. There, the file of a model and a tag has a flat name: MODEL.TAG and one of
`SUFFIXES`, as in `ViT-B-16-quickgelu.openai.safetensors`. What is fetched is kept in the same folder, in the hub's own
layout; without the variable, in the hub's usual cache.
"""

from __future__ import annotations

import os
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

from methods.blocks.clip.image_encoder import Colour

VARIABLE = "CHIMERA_BENCH_WEIGHTS"
SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")
ANSWER_SECONDS = 5.0
"""How long the hub may take to answer at all."""


@dataclass(frozen=True)
class Pretraining:
    """What open_clip's table says of weights that it lists.

    Attributes:
        model: an architecture that they fit; the table lists some under two.
        tag: their name.
        is_quick: whether they were trained with QuickGELU.
        mean, std: of the pixels, RGB 0-1.
        repository: on the hub.
        files: names under which the repository may hold them, best first.
        url: of the same weights elsewhere, or "".
    """

    model: str
    tag: str
    is_quick: bool
    mean: Colour
    std: Colour
    repository: str
    files: tuple[str, ...]
    url: str


def listed(model: str, tag: str) -> Pretraining | None:
    """What is known of a tag of a model; None where open_clip lists no such tag."""
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


def recognise(file: Path) -> Pretraining | None:
    """What is known of a weight file from its name or from the folders it lies in; None where nothing is.

    Known are: the flat names of the user's folder; the names of the downloads that open_clip lists (OpenAI's
    `ViT-B-16.pt`, OpenCLIP's and MetaCLIP's); and files in a folder that is named after their hub repository, as in the
    hub's cache. A file renamed otherwise cannot be told from its name.
    """
    model, _, tag = file.stem.rpartition(".")
    if known := listed(model, tag):
        return known
    folders = {part.removeprefix("models--") for part in file.absolute().parts[:-1]}
    for model, tag in open_clip.list_pretrained():
        known = listed(model, tag)
        assert known is not None  # it is in the list
        owned = {known.repository.replace("/", "--"), known.repository.rpartition("/")[2]} - {""}
        if file.name == known.url.rpartition("/")[2] or owned & folders:
            return known
    return None


def find_weights(known: Pretraining) -> Path:
    """The file of listed weights: the user's own, a fetched one, or one that is fetched now.

    Raises:
        ValueError: it is nowhere, and the hub cannot be asked; one line with what to fetch and where to put it.
    """
    folder = _folder()
    if folder is not None:
        for suffix in SUFFIXES:
            flat = folder / f"{known.model}.{known.tag}{suffix}"
            if flat.is_file():
                return flat
    for place in dict.fromkeys([folder, None]):
        for name in known.files:
            kept = try_to_load_from_cache(known.repository, name, cache_dir=place)
            if isinstance(kept, str):
                return Path(kept)
    return _fetched(known, folder)


def _folder() -> Path | None:
    own = os.environ.get(VARIABLE)
    return Path(own).expanduser() if own else None


def _fetched(known: Pretraining, folder: Path | None) -> Path:
    try:
        for name in known.files:
            if _is_on_the_hub(known.repository, name):
                return Path(hf_hub_download(known.repository, name, cache_dir=folder))
        reason = "the repository has none of these files"
    except OfflineModeIsEnabled:
        reason = "HF_HUB_OFFLINE is set"
    except (OSError, HTTPError) as error:  # of the system, or of whichever HTTP client the hub's library uses
        reason = str(error).strip().partition("\n")[0][:80] or type(error).__name__
    raise ValueError(_what_to_fetch(known, folder, reason=reason))


def _is_on_the_hub(repository: str, name: str) -> bool:
    """Asked once, with a limit: a download without a network would repeat its question for most of a minute."""
    try:
        get_hf_file_metadata(hf_hub_url(repository, name), timeout=ANSWER_SECONDS)
    except EntryNotFoundError:
        return False
    return True


def _what_to_fetch(known: Pretraining, folder: Path | None, *, reason: str) -> str:
    """What matters first: a record keeps some 400 characters of it."""
    place = str(folder) if folder is not None else f"${VARIABLE}"
    first, *others = known.files
    other = "".join(f" (or {name}, ending as {Path(name).suffix})" for name in others)
    return (
        f"weights {known.tag!r} of {known.model!r} are not here and cannot be fetched ({reason}): put {first} of the "
        f"hub repository {known.repository} at {place}/{known.model}.{known.tag}{Path(first).suffix}{other}, or give "
        f"its path as clip.weights{f'; the same weights: {known.url}' if known.url else ''}"
    )
