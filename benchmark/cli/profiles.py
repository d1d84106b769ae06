"""`profile`: profiles of clusters: written from the cluster, checked against it, listed."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.console import print_columns, print_line, print_note
from benchmark.utils.exit_codes import ExitCode

if TYPE_CHECKING:
    from slurm.scheduler.inventory import Inventory, PartitionOffer

app = typer.Typer(help="Write, check and list profiles of clusters.", no_args_is_help=True)


@app.command()
def new(
    partition: Annotated[
        str | None, typer.Option("--partition", "-p", help="Partition of the profile; default: one with GPUs.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write; default: a profile with the name of the cluster.")
    ] = None,
) -> None:
    """Write a first profile from what the cluster of this machine offers: partitions, GPUs, limits, accounts."""
    from benchmark.utils.atomic_files import write_new
    from slurm.requests.new_profile import compose_profile
    from slurm.requests.profile import find_profile_folder, load_profile
    from slurm.scheduler.cluster_config import SlurmUnreachableError
    from slurm.scheduler.inventory import query_inventory

    if out is not None and out.suffix not in (".yaml", ".yml"):
        raise ValueError(f"--out {out}: the name of a profile ends in .yaml")
    try:
        inventory = query_inventory()
    except SlurmUnreachableError as error:
        message = f"a profile is written from the cluster itself, on one of its login nodes: {error}"
        raise ValueError(message) from error
    path = out or find_profile_folder() / f"{inventory.cluster or 'cluster'}.yaml"
    if path.exists():
        raise FileExistsError(f"{path} exists: name another file with --out, or delete it")
    text = compose_profile(inventory, _choose_partition(inventory, partition))
    with tempfile.TemporaryDirectory() as folder:  # never leave a profile that cannot be read
        draft = Path(folder) / "draft.yaml"
        draft.write_text(text, encoding="utf-8")
        _ = load_profile(str(draft))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_new(path, text)
    name = str(path) if out is not None else path.stem
    print_line(text.rstrip())
    print_note(f"written to {path}")
    print_note(f"check it: chimera-bench profile check {name}")
    print_note(f"print the script of its jobs: chimera-bench submit demo --cluster {name} --dry-run")


@app.command()
def check(profile: Annotated[str, typer.Argument(help="Name of a profile, or its file.")]) -> None:
    """Check a profile and let the cluster say when a job of it would start; submits nothing."""
    from slurm.check_profile import check_profile
    from slurm.requests.profile import load_profile

    loaded = load_profile(profile)
    if loaded.executor != "slurm":
        print_line(f"{loaded.name} is valid: executor {loaded.executor}, on this machine")
        return
    is_accepted, answer = check_profile(loaded)
    print_line(f"{loaded.name} is valid")
    print_line(f"the cluster {'accepts' if is_accepted else 'refuses'} a job of it: {answer}")
    raise typer.Exit(ExitCode.SUCCESS if is_accepted else ExitCode.ERROR)


@app.command("list")
def list_profiles() -> None:
    """List the included profiles and your own, with their files."""
    from slurm.requests.profile import find_profiles

    print_columns(("profile", "file"), [[name, str(path)] for name, path in find_profiles().items()])


def _choose_partition(inventory: Inventory, name: str | None) -> PartitionOffer:
    """Return the named partition; without a name, ask on a terminal and else choose.

    Raises:
        KeyError: There is no such partition; the message names the nearest.
        ValueError: No partition is open.
    """
    from benchmark.utils.did_you_mean import explain_unknown_name
    from slurm.requests.new_profile import choose_partition, describe_partition

    offers = {offer.name: offer for offer in inventory.partitions}
    suggestion = choose_partition(inventory.partitions)
    if name is None and len(offers) > 1:
        for offer in offers.values():
            print_note(f"{offer.name}: {describe_partition(offer)}")
        if sys.stdin.isatty():
            name = typer.prompt("Partition", default=suggestion.name, err=True)
        else:
            print_note(f"chosen: {suggestion.name}; choose another one with --partition")
    if name is not None and name not in offers:
        raise KeyError(explain_unknown_name("partition", name, offers))
    chosen = offers[name] if name is not None else suggestion
    if not chosen.nodes:
        raise ValueError(f"partition {chosen.name} has no nodes: see sinfo -s")
    return chosen
