"""`import`, `merge`: predictions of other programs become a row, stores and archives of several machines become one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.console import format_command, open_store, print_json, print_line, print_note
from benchmark.cli.options import AsJson, MaxImages, ProtocolName, list_given
from benchmark.cli.progress_lines import show_image_progress
from benchmark.utils.exit_codes import ExitCode

if TYPE_CHECKING:
    from benchmark.exchange.import_labels import ImportResult
    from benchmark.store.run_folder import RunFolder
    from benchmark.store.store import Store


Predictions = Annotated[
    Path,
    typer.Argument(
        metavar="PATH",
        help="Folder of label PNGs, sem_seg_predictions.json of Detectron2, or archive of results (.zip).",
    ),
]
Supervision = Annotated[
    str | None,
    typer.Option(
        "--supervision",
        help="Targets used in training: none, tags, captions, seen_masks, seen_masks+unseen_names or points.",
    ),
]
Ids = Annotated[
    str,
    typer.Option(
        "--ids",
        metavar="RULE",
        help="Meaning of ids: classes (order of the split, from 0), classes+1 (0 for no class), dataset (order of the "
        "dataset), a .json or .txt file with names, or a permutation 2,0,1. Default: classes.json beside the label "
        "maps, else classes.",
    ),
]

Setting = Annotated[
    str,
    typer.Option(
        "--setting",
        help="Knowledge about unseen classes in training: inductive, transductive, 'transductive, unseen located' or "
        "'fully supervised'. Default: that of the protocol.",
    ),
]
Vocabulary = Annotated[
    str,
    typer.Option(
        "--vocabulary",
        help="Classes that were chosen from: all, or image (those in the image, an oracle). Default: all; with tags, "
        "image.",
    ),
]
TargetImages = Annotated[
    str,
    typer.Option(
        "--target-images",
        help="Images of the test distribution that were adapted to: none (the default), unlabeled or masks.",
    ),
]
Backbone = Annotated[str, typer.Option("--backbone", help="Networks that predicted, such as 'CLIP ViT-B/16'.")]
ExtraModels = Annotated[
    list[str] | None,
    typer.Option("--extra-model", metavar="NAME", help="Pretrained model beside the backbone; may be repeated."),
]


REQUIRED = {"name": "--as", "split": "--split", "supervision": "--supervision"}
"""Options that label maps need, by parameter."""
OPTIONAL = {
    name: f"--{name.replace('_', '-')}"
    for name in (
        "protocol",
        "seed",
        "ids",
        "max_images",
        "paper",
        "program",
        "note",
        "setting",
        "vocabulary",
        "target_images",
        "backbone",
    )
} | {"extra_models": "--extra-model"}
"""Other options of label maps, by parameter."""


def import_predictions(
    context: typer.Context,
    predictions: Predictions,
    *,
    name: Annotated[str | None, typer.Option("--as", metavar="NAME", help="Name of the row, such as 'SAM 3'.")] = None,
    split: Annotated[str | None, typer.Option("--split", help="Split to score on.")] = None,
    supervision: Supervision = None,
    protocol: ProtocolName = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the predictions, if there are several.")] = 0,
    ids: Ids = "",
    max_images: MaxImages = None,
    paper: Annotated[str, typer.Option("--paper", help="Citation of the method.")] = "",
    program: Annotated[str, typer.Option("--program", help="Program and version that made the predictions.")] = "",
    note: Annotated[str, typer.Option("--note", help="Remark that the record keeps.")] = "",
    setting: Setting = "",
    vocabulary: Vocabulary = "",
    target_images: TargetImages = "",
    backbone: Backbone = "",
    extra_models: ExtraModels = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only verify an archive and draw its tables again; take nothing in.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Import label maps of any program as a row, or the runs and plans of an archive that `export` wrote.

    Label maps need --as, --split and --supervision; nothing is trained. An archive is verified as a whole, then merged
    like a store: no result is overwritten.
    """
    from benchmark.cli.results_archive import import_archive
    from benchmark.exchange.import_labels import import_labels
    from benchmark.exchange.import_request import ImportRequest
    from benchmark.exchange.results_content import is_results_archive

    store = open_store(context)
    if is_results_archive(predictions.expanduser()):
        _refuse_label_options(context, predictions)
        raise typer.Exit(import_archive(store, predictions.expanduser(), only_check=check, as_json=as_json))
    if name is None or split is None or supervision is None or check:
        raise ValueError(_explain_options(context, predictions, only_check=check))
    fields = {name: value for name in (*REQUIRED, *OPTIONAL) if (value := context.params[name]) is not None}
    request = ImportRequest(path=predictions.expanduser(), **fields | {"extra_models": tuple(extra_models or ())})
    result = import_labels(request, store=store, observe=show_image_progress("counted"))
    _print_import(result, store, as_json=as_json)


def _refuse_label_options(context: typer.Context, path: Path) -> None:
    given = list_given(context, {**REQUIRED, **OPTIONAL})
    if given:
        raise ValueError(f"{path} is an archive of results: leave out {', '.join(given)}, which label maps have")


def _explain_options(context: typer.Context, path: Path, *, only_check: bool) -> str:
    """Explain why label maps cannot be imported with the given options."""
    if only_check:
        return f"--check verifies archives of results (.zip), and {path} is none"
    given = list_given(context, REQUIRED)
    missing = ", ".join(option for option in REQUIRED.values() if option not in given)
    return f"{path} is no archive of results (.zip), and label maps need {missing} too (`merge` takes in runs)"


def _print_import(result: ImportResult, store: Store, *, as_json: bool) -> None:
    from benchmark.evaluation.sanity import find_alarms
    from benchmark.evaluation.scores import DATASET_METRICS, score
    from benchmark.evaluation.undefined_scores import describe_undefined_run
    from benchmark.report.alarms import list_alarms
    from benchmark.report.tables.numbers import format_score

    record = result.record
    counts = store.run(record.spec.id).read_counts(record)
    scores = score(counts, "d2-main")
    values = {metric: getattr(scores, metric) for metric in DATASET_METRICS}
    alarms = [f"{alarm.summary} ({alarm.detail})" for alarm in list_alarms(record, find_alarms(counts))]
    if as_json:
        print_json(
            {"id": record.spec.id, "new": result.is_new, "remarks": result.remarks, "alarms": alarms, "scores": values}
        )
        return
    for remark in result.remarks:
        print_note(remark)
    for alarm in alarms:
        print_note(f"alarm: {alarm}")
    state = "imported" if result.is_new else "already imported, the same predictions"
    print_line(f"{state}: {record.spec.id}")
    print_line(
        "  "
        + "  ".join(f"{metric} {format_score(value, digits=2)}" for metric, value in values.items())
        + "  (d2-main)"
    )
    for reason in describe_undefined_run(counts, scores, "d2-main"):
        print_line(f"  {reason}")
    print_note(f"see it: {format_command(store, 'show', record.spec.id)}")


def verify_imported(run: RunFolder, *, path: Path | None, accepts: bool, as_json: bool) -> ExitCode:
    """Count the label maps of an imported run again, print the result, and return the exit code.

    Args:
        run: Folder of the run.
        path: Folder of the label maps; None for that of the import.
        accepts: Whether a stale result becomes fresh if all counts are identical.
        as_json: Whether JSON is printed.
    """
    from benchmark.exchange.recount import recount
    from benchmark.store.staleness import accept, find_changes

    result = recount(run, path=path, observe=show_image_progress("counted"))
    is_accepted = accepts and result.is_identical and bool(find_changes(result.original, run))
    if is_accepted:
        accept(run, result.original, result.repeated)
    if as_json:
        print_json(result.to_json() | {"accepted": is_accepted})
        return result.exit_code
    for line in result.format_lines():
        print_line(line)
    if accepts:
        print_line(f"accepted: noted in {run.acceptance_path}" if is_accepted else "nothing to accept")
    return result.exit_code


def merge(
    context: typer.Context,
    others: Annotated[
        list[Path], typer.Argument(metavar="OTHER_RUNS…", help="Folders of runs, or archives of runs (tar.gz, zip).")
    ],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be merged and change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Merge the runs and plans of other machines into --runs. No result is overwritten.

    Runs are compared by the digests of their pixel counts. The exit code is 4 if a run has other counts there than
    here, and 3 if a run or plan is broken; everything else is merged in both cases.
    """
    from benchmark.cli.merge_output import describe_merge, print_merge
    from benchmark.exchange.merge_store import merge as merge_store

    store = open_store(context)
    results = [merge_store(other.expanduser(), store, is_dry=dry_run) for other in others]
    if as_json:
        print_json([describe_merge(result) for result in results])
    else:
        for result in results:
            print_merge(result, is_dry=dry_run)
    raise typer.Exit(max((result.exit_code for result in results), default=ExitCode.SUCCESS))
