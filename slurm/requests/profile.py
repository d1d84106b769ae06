"""Cluster profiles: YAML files that say what a job requests, with changes for single studies and methods.

    executor: slurm
    partition: gpu
    timeout_min: 480
    studies: {ablations: {timeout_min: 120}}
    methods: {spnet: {mem_gb: 8}, chimera_seg/full-CLIP head: {mem_gb: 64}}

Settings that are not fields of the profile itself are fields of `JobResources`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from benchmark.utils.did_you_mean import explain_missing_yaml, explain_unknown_name
from benchmark.utils.frozen_model import FrozenModel
from benchmark.utils.paths import ROOT, expand_path, find_home
from benchmark.utils.validation_errors import describe_first_error
from benchmark.utils.yaml_files import describe_invalid, read_table
from slurm.requests.resources import JobResources

PROFILES = ROOT / "slurm" / "profiles"
VARIABLE = "CHIMERA_BENCH_PROFILES"


class LocalProfile(FrozenModel):
    """Profile that runs on this machine, one process per run.

    Attributes:
        name: Name of the profile.
        executor: Always "local".
        jobs: Number of runs at a time; None for as many as there are processors for.
        threads: CPU threads of each run, see `JobResources`.
        workers: Data-loading processes of each run, see `JobResources`.
        measures_cost: Whether the cost of each run's method is measured, see `JobResources`.
    """

    name: str
    executor: Literal["local"]
    jobs: int | None = Field(default=None, ge=1)
    threads: int = Field(default=1, ge=1)
    workers: int = Field(default=0, ge=0)
    measures_cost: bool = True


class DebugProfile(FrozenModel):
    """Profile that runs in the current process, one run after another, for use with a debugger.

    Attributes:
        name: Name of the profile.
        executor: Always "debug".
        threads: CPU threads of each run, see `JobResources`.
        workers: Data-loading processes of each run, see `JobResources`.
        measures_cost: Whether the cost of each run's method is measured, see `JobResources`.
    """

    name: str
    executor: Literal["debug"]
    threads: int = Field(default=1, ge=1)
    workers: int = Field(default=0, ge=0)
    measures_cost: bool = True


Changes = Annotated[dict[str, dict[str, Any]], BeforeValidator(lambda changes: changes or {})]


class SlurmProfile(FrozenModel):
    """Profile that runs as job arrays on a SLURM cluster.

    Attributes:
        name: Name of the profile.
        executor: Always "slurm".
        base: Resources of a job; in a file, its fields are on the same level as the other fields.
        studies: Changes for a study, by its name.
        methods: Changes for a method, by its name or by "name/variant".
        max_submit: Array elements that may be in the queue at a time; 0 for the limit of the cluster.
    """

    name: str
    executor: Literal["slurm"]
    base: JobResources
    studies: Changes = Field(default_factory=dict)
    methods: Changes = Field(default_factory=dict)
    max_submit: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _check_changes(self) -> Self:
        for study in self.studies:
            self.get_resources(study=study)
        for method in self.methods:
            name, _, variant = method.partition("/")
            self.get_resources(method=name, variant=variant)
        return self

    def get_resources(self, *, study: str = "", method: str = "", variant: str = "") -> JobResources:
        """Return the resources of a job: the base, changed by the study, then the method, then the method's variant.

        Args:
            study: Name of the study.
            method: Name of the method.
            variant: Name of the method's variant.

        Raises:
            ValueError: The changes cannot be combined; the message names them.
        """
        changes = {
            f"studies.{study}": self.studies.get(study),
            f"methods.{method}": self.methods.get(method),
            f"methods.{method}/{variant}": self.methods.get(f"{method}/{variant}"),
        }
        fields = self.base.model_dump(exclude_unset=True)
        for change in changes.values():
            fields = _merge_changes(fields, change or {})
        try:
            return JobResources.model_validate(fields)
        except ValidationError as error:
            names = " and ".join(name for name, change in changes.items() if change)
            raise ValueError(f"{names}: {_describe_error(error, JobResources)}") from error


Profile = LocalProfile | DebugProfile | SlurmProfile

_KINDS: dict[str, type[LocalProfile | DebugProfile | SlurmProfile]] = {
    "slurm": SlurmProfile,
    "local": LocalProfile,
    "debug": DebugProfile,
}


def list_profiles() -> list[str]:
    """Return the names of the included profiles and of the user's own, sorted."""
    return sorted(find_profiles())


def find_profiles() -> dict[str, Path]:
    """Return the files of the included profiles and of the user's own, by their names, which are sorted."""
    paths = {path.stem: path for folder in reversed(_list_folders()) for path in folder.glob("*.yaml")}
    return dict(sorted(paths.items()))


def find_profile_folder() -> Path:
    """Return the folder of the user's own profiles.

    Raises:
        ValueError: The user has no home, and no variable names a folder.
    """
    folder = _list_folders()[0]
    if folder == PROFILES:
        raise ValueError(f"there is no home folder for profiles: set {VARIABLE} to a folder")
    return folder


def load_profile(name: str) -> Profile:
    """Read a profile by name, or by the path of a YAML file.

    The user's own profiles are in $CHIMERA_BENCH_PROFILES, else in chimera-bench/profiles below $XDG_CONFIG_HOME or
    ~/.config. A profile there replaces an included one of the same name.

    Raises:
        KeyError: There is no such profile; the message names the nearest.
        ValueError: The file is not a valid profile; the message says why.
    """
    is_file = name.endswith((".yaml", ".yml"))
    candidates = [Path(name)] if is_file else [folder / f"{name}.yaml" for folder in _list_folders()]
    path = next((candidate for candidate in candidates if candidate.is_file()), None)
    if path is None:
        raise KeyError(explain_missing_yaml("profile", name, list_profiles()))
    fields = {"name": path.stem} | read_table(path, kind="profile")
    try:
        return _parse_profile(fields)
    except ValidationError as error:
        kind = _KINDS.get(str(fields.get("executor")), SlurmProfile)
        problem = describe_invalid(error, kind, path).replace("base.", "", 1).replace("base: ", "", 1)
        raise ValueError(f"{path} is not a valid profile: {problem}") from error
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} is not a valid profile: {error}") from error


def switch_off_cost(profile: Profile) -> Profile:
    """Return a profile whose runs do not measure the cost of their methods."""
    off = {"measures_cost": False}
    if isinstance(profile, SlurmProfile):
        return profile.model_copy(update={"base": profile.base.model_copy(update=off)})
    return profile.model_copy(update=off)


def _list_folders() -> list[Path]:
    """Return the folders of profiles; those in the first folder take precedence."""
    own, config, home = os.environ.get(VARIABLE), os.environ.get("XDG_CONFIG_HOME"), find_home()
    if own:
        return [expand_path(own), PROFILES]
    configs = [Path(config)] if config else [home / ".config"] if home else []
    return [*(folder / "chimera-bench" / "profiles" for folder in configs), PROFILES]


def _parse_profile(fields: dict[str, Any]) -> Profile:
    """Return the profile of a file's fields; those that a SlurmProfile does not have belong to its base."""
    executor = str(fields.get("executor", ""))
    if executor not in _KINDS:
        raise ValueError(explain_unknown_name("executor", executor, _KINDS))
    kind = _KINDS[executor]
    known = kind.model_fields.keys() - {"base"}
    own = {name: value for name, value in fields.items() if name in known}
    rest = {name: value for name, value in fields.items() if name not in known}
    if executor == "slurm":
        return SlurmProfile.model_validate(own | {"base": _check_no_jobs(rest)})
    if rest:
        raise ValueError(_explain_unknown_field(next(iter(rest)), executor))
    return kind.model_validate(own)


def _check_no_jobs(fields: dict[str, Any]) -> dict[str, Any]:
    if "jobs" in fields:
        raise ValueError(
            "jobs is a field of executor: local; set array_parallelism to limit the running jobs of an array"
        )
    return fields


def _explain_unknown_field(name: str, executor: str) -> str:
    """Return the error message for a field that the profiles of an executor do not have."""
    if name in {*JobResources.model_fields, *SlurmProfile.model_fields}:
        return f"{name} is a field of executor: slurm and has no meaning for executor: {executor}"
    return explain_unknown_name("field", name, _KINDS[executor].model_fields)


def _merge_changes(fields: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Replace whole fields by changes, except for additional_parameters, of which single options are replaced."""
    merged = {**fields, **changes}
    options = [values["additional_parameters"] for values in (fields, changes) if "additional_parameters" in values]
    if len(options) == 2 and all(isinstance(value, Mapping) for value in options):
        merged["additional_parameters"] = {**options[0], **options[1]}
    return merged


def _describe_error(error: ValidationError, kind: type[FrozenModel]) -> str:
    return describe_first_error(error, kind).replace("base.", "").removeprefix("base: ")
