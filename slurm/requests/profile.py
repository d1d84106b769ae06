"""A cluster as data: what a job asks for there, and what is different for one study or for one method.

    executor: slurm
    partition: gpu
    timeout_min: 480
    studies:
      ablations: {timeout_min: 120}
    methods:
      spnet: {mem_gb: 8}
      chimera_seg/full-CLIP head: {mem_gb: 64}

Whatever is not a field of the profile itself is one of `Resources`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BeforeValidator, Field, ValidationError, model_validator

from benchmark.utils.atomic_files import first_complaint
from benchmark.utils.did_you_mean import unknown_name
from benchmark.utils.frozen_model import FrozenModel
from benchmark.utils.paths import ROOT
from slurm.requests.resources import Resources

PROFILES = ROOT / "slurm" / "profiles"
VARIABLE = "CHIMERA_BENCH_PROFILES"


class LocalProfile(FrozenModel):
    """Runs on this machine, in processes of their own.

    Attributes:
        jobs: runs at a time; where None as many as there are processors for.
        threads, workers: of each run, as in `Resources`.
    """

    name: str
    executor: Literal["local"]
    jobs: int | None = Field(default=None, ge=1)
    threads: int = Field(default=1, ge=1)
    workers: int = Field(default=0, ge=0)


class DebugProfile(FrozenModel):
    """Runs in the present process, one after another, where a debugger can stop them.

    Attributes:
        threads, workers: of each run, as in `Resources`.
    """

    name: str
    executor: Literal["debug"]
    threads: int = Field(default=1, ge=1)
    workers: int = Field(default=0, ge=0)


Changes = Annotated[dict[str, dict[str, Any]], BeforeValidator(lambda changes: changes or {})]


class SlurmProfile(FrozenModel):
    """Runs as job arrays of a SLURM cluster.

    Attributes:
        base: what a job asks for; a file has its settings beside the other fields.
        studies: what is different for a study, by its name.
        methods: what is different for a method, by its name or by "name/variant".
        max_submit: elements of arrays that may be in the queue at a time; 0 for what the cluster allows.
    """

    name: str
    executor: Literal["slurm"]
    base: Resources
    studies: Changes = Field(default_factory=dict)
    methods: Changes = Field(default_factory=dict)
    max_submit: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _changes_are_valid(self) -> Self:
        for study in self.studies:
            self.resources(study=study)
        for method in self.methods:
            name, _, variant = method.partition("/")
            self.resources(method=name, variant=variant)
        return self

    def resources(self, *, study: str = "", method: str = "", variant: str = "") -> Resources:
        """What a job asks for: the base, then what the study changes, then the method, then the method's variant.

        Raises:
            ValueError: the changes do not go together; names them.
        """
        changes = {
            f"studies.{study}": self.studies.get(study),
            f"methods.{method}": self.methods.get(method),
            f"methods.{method}/{variant}": self.methods.get(f"{method}/{variant}"),
        }
        fields = self.base.model_dump(exclude_unset=True)
        for change in changes.values():
            fields = _merged(fields, change or {})
        try:
            return Resources.model_validate(fields)
        except ValidationError as error:
            where = " and ".join(name for name, change in changes.items() if change)
            raise ValueError(f"{where}: {_complaint(error)}") from error


Profile = LocalProfile | DebugProfile | SlurmProfile

_KINDS: dict[str, type[LocalProfile | DebugProfile | SlurmProfile]] = {
    "slurm": SlurmProfile,
    "local": LocalProfile,
    "debug": DebugProfile,
}


def profile_names() -> list[str]:
    """The profiles that ship and the user's own, sorted."""
    return sorted({path.stem for folder in _folders() for path in folder.glob("*.yaml")})


def load_profile(name: str) -> Profile:
    """Read a profile by name, or by the path of a YAML file.

    The user's own are in $CHIMERA_BENCH_PROFILES, else in chimera-bench/profiles below $XDG_CONFIG_HOME or ~/.config.
    One there takes the place of one that ships under the same name.

    Raises:
        KeyError: no such profile; names the nearest.
        ValueError: the file is not a valid profile; says where.
    """
    is_file = name.endswith((".yaml", ".yml"))
    places = [Path(name)] if is_file else [folder / f"{name}.yaml" for folder in _folders()]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        near = map(str, sorted(places[0].parent.glob("*.y*ml"))) if is_file else profile_names()
        raise KeyError(unknown_name("profile file" if is_file else "profile", name, near))
    try:
        return _profile({"name": path.stem} | (yaml.load(path.read_bytes(), Loader=_Loader) or {}))
    except ValidationError as error:
        raise ValueError(f"{path} is not a valid profile: {_complaint(error)}") from error
    except (yaml.YAMLError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not a valid profile: {' '.join(str(error).split())}") from error


def _folders() -> list[Path]:
    own = os.environ.get(VARIABLE)
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return [Path(own).expanduser() if own else config / "chimera-bench" / "profiles", PROFILES]


def _profile(fields: dict[str, Any]) -> Profile:
    executor = str(fields.get("executor", ""))
    if executor not in _KINDS:
        raise ValueError(unknown_name("executor", executor, _KINDS))
    kind = _KINDS[executor]
    known = kind.model_fields.keys() - {"base"}
    own = {name: value for name, value in fields.items() if name in known}
    rest = {name: value for name, value in fields.items() if name not in known}
    if executor == "slurm":
        return SlurmProfile.model_validate(own | {"base": _for_slurm(rest)})
    if rest:
        raise ValueError(_misplaced(next(iter(rest)), executor))
    return kind.model_validate(own)


def _for_slurm(fields: dict[str, Any]) -> dict[str, Any]:
    if "jobs" in fields:
        raise ValueError("jobs is a field of executor: local; array_parallelism is how many jobs of an array may run")
    return fields


def _misplaced(name: str, executor: str) -> str:
    if name in {*Resources.model_fields, *SlurmProfile.model_fields}:
        return f"{name} is a field of executor: slurm, and means nothing to executor: {executor}"
    return unknown_name("field", name, _KINDS[executor].model_fields)


def _merged(fields: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Of additional_parameters each option is replaced, of everything else the whole."""
    merged = {**fields, **changes}
    options = [values["additional_parameters"] for values in (fields, changes) if "additional_parameters" in values]
    if len(options) == 2 and all(isinstance(each, Mapping) for each in options):
        merged["additional_parameters"] = {**options[0], **options[1]}
    return merged


def _complaint(error: ValidationError) -> str:
    return first_complaint(error).replace("Value error, ", "").removeprefix("base.").removeprefix("base: ")


class _Loader(yaml.SafeLoader):
    """YAML in which 10:30 is text; YAML 1.1 has it for 630."""


def _number(loader: _Loader, node: yaml.ScalarNode) -> object:
    if ":" in node.value:
        return node.value
    return loader.construct_yaml_float(node) if node.tag.endswith("float") else loader.construct_yaml_int(node)


for _kind in ("int", "float"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _number)
