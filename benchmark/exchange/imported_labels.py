"""The label maps of an imported run, read again from where they were imported from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from benchmark.exchange.class_ids import ClassIds, Labels, match_names
from benchmark.exchange.class_names import interpret_names
from benchmark.exchange.import_request import open_source
from benchmark.exchange.imported_files import ImportedFiles
from benchmark.exchange.label_files import find_labels_folder
from benchmark.planning.resolve import load_split_of
from benchmark.store.run_folder import RunFolder
from benchmark.utils.atomic_files import read_value


def read_imported_labels(run: RunFolder, sizes: Mapping[str, tuple[int, int]]) -> list[Labels]:
    """Read label maps of an imported run, if they are still where they were and have not changed.

    Args:
        run: Folder of the run.
        sizes: Height and width of the target, by id of the image.

    Returns:
        (H, W) classes per image, in the order of `sizes`.

    Raises:
        ValueError: The label maps are gone or changed.
    """
    record = run.read_record()
    assert record.imported is not None
    path = find_labels_folder(Path(record.imported.folder))
    if not path.exists():
        raise ValueError(f"its imported label maps are not in {path} any more")
    listed = read_value(ImportedFiles, run.predictions_path)
    source = open_source(
        path, restore_ids(listed, text=record.imported.ids, classes=load_split_of(record.spec).classes)
    )
    missing = [image_id for image_id in sizes if image_id not in source.image_ids]
    if missing:
        raise ValueError(f"{path} has no label map of {missing[0]} any more")
    digests = source.digest_files(list(sizes))
    changed = [name for name, digest in digests.items() if listed.files.get(name) != digest]
    if changed:
        raise ValueError(f"{path / changed[0]} changed since the import")
    return [source.read(image_id, size) for image_id, size in sizes.items()]


def restore_ids(listed: ImportedFiles, *, text: str, classes: tuple[str, ...]) -> ClassIds:
    """Return the meaning of ids that an imported run lists.

    Args:
        listed: Its file.
        text: How ids are read, in words.
        classes: Classes of the split.
    """
    return match_names(interpret_names(listed.ids), classes, known=(), text=text)
