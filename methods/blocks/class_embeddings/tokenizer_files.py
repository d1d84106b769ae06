"""Files of tokenizers on the Hub, and the package that reads them: found, downloaded, or named in one line.

Looked for are: the folder MODEL.tokenizer in $CHIMERA_BENCH_WEIGHTS, the Hub's layout in that folder, the Hub's own
cache, and the Hub.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from methods.blocks.clip.architecture import find_architecture_file, read_architecture
from methods.blocks.clip.user_folder import VARIABLE, get_user_folder

FILE = "tokenizer_config.json"
"""File that each repository of a tokenizer has."""

ALTERNATIVE = (
    "or give class embeddings that were computed elsewhere: class_embeddings={kind: file, file: x.npy}; to try a run, "
    "clip.weights=random needs no tokenizer"
)


def check_hub_tokenizer(model: str) -> None:
    """Check that the tokenizer of a model is on this machine or can be downloaded, without downloading it.

    Raises:
        ValueError: The package transformers or the files are missing; one line says what to do.
    """
    _require_transformers(model)
    is_here = find_tokenizer_folder(model) is not None
    if not is_here and not _is_cached(model, get_user_folder()) and not _is_cached(model, None):
        from huggingface_hub import get_hf_file_metadata, hf_hub_url  # not above: only this check needs it
        from huggingface_hub.errors import HTTPError, OfflineModeIsEnabled  # type: ignore[attr-defined]

        try:
            get_hf_file_metadata(hf_hub_url(read_architecture(model).tokenizer, FILE), timeout=5.0)
        except (OSError, HTTPError, OfflineModeIsEnabled) as error:
            raise ValueError(_explain_missing_files(model, error)) from error


def load_hub_tokenizer(model: str) -> Any:
    """Load the tokenizer of a model as open_clip configures it, an open_clip `HFTokenizer`.

    Raises:
        ValueError: The package transformers or the files are missing; one line says what to do.
    """
    check_hub_tokenizer(model)
    import open_clip  # not above: importing takes seconds

    if model not in open_clip.list_models():
        open_clip.add_model_config(find_architecture_file(model))
    text = open_clip.get_model_config(model)["text_cfg"]
    folder = find_tokenizer_folder(model)
    try:
        return open_clip.tokenizer.HFTokenizer(
            str(folder) if folder is not None else text["hf_tokenizer_name"],
            context_length=text.get("context_length"),
            cache_dir=None if _is_cached(model, None) else get_user_folder(),  # downloads are kept there
            tokenizer_mode=text.get("tokenizer_mode"),
            **text.get("tokenizer_kwargs", {}),
        )
    except (OSError, ValueError, ImportError) as error:  # missing or broken files, or a package that they need
        raise ValueError(_explain_missing_files(model, error)) from error


def find_tokenizer_folder(model: str) -> Path | None:
    """Return the user's own folder of a model's tokenizer; None if there is none."""
    own = get_user_folder()
    folder = own / f"{model}.tokenizer" if own is not None else None
    return folder if folder is not None and folder.is_dir() else None


def _require_transformers(model: str) -> None:
    if find_spec("transformers") is None:
        repository = read_architecture(model).tokenizer
        raise ValueError(
            f"{model} has its own tokenizer ({repository}), which needs a package: pip install transformers "
            f"sentencepiece protobuf; {ALTERNATIVE}"
        )


def _is_cached(model: str, cache: Path | None) -> bool:
    """Return whether a folder in the Hub's layout, or the Hub's own cache if it is None, has a tokenizer."""
    from huggingface_hub import try_to_load_from_cache  # not above: only this check needs it

    repository = read_architecture(model).tokenizer
    return isinstance(try_to_load_from_cache(repository, FILE, cache_dir=cache), str)


def _explain_missing_files(model: str, error: Exception) -> str:
    line = str(error).strip().partition("\n")[0][:80] or type(error).__name__
    folder = get_user_folder()
    target = f"{folder if folder is not None else f'${VARIABLE}'}/{model}.tokenizer"
    return (
        f"the tokenizer of {model} cannot be loaded ({line}): save the tokenizer's files of the Hub repository "
        f"{read_architecture(model).tokenizer} in the folder {target}; {ALTERNATIVE}"
    )
