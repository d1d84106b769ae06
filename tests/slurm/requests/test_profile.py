"""Cluster profiles, and their changes for a study or a method."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.execution.worker_process import WorkerResources
from slurm.requests.profile import (
    PROFILES,
    DebugProfile,
    LocalProfile,
    SlurmProfile,
    list_profiles,
    load_profile,
    switch_off_cost,
)
from slurm.requests.resources import JobResources
from slurm.requests.sbatch import ArrayRequest, render_script

INCLUDED = sorted(path.stem for path in PROFILES.glob("*.yaml"))


@pytest.fixture(autouse=True)
def _own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHIMERA_BENCH_PROFILES", str(tmp_path))


def _slurm(folder: Path, text: str) -> SlurmProfile:
    profile = load_profile(_file(folder, f"executor: slurm\n{text}"))
    assert isinstance(profile, SlurmProfile)
    return profile


def _file(folder: Path, text: str) -> str:
    path = folder / "mine.yaml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("name", INCLUDED)
def test_every_included_profile_is_valid(name: str) -> None:
    assert load_profile(name).name == name


@pytest.mark.parametrize("name", sorted({*INCLUDED} - {"local", "debug"}))
def test_every_included_cluster_profile_gives_a_script(name: str, tmp_path: Path) -> None:
    profile = load_profile(name)
    resources = profile.get_resources(study="demo", method="maskclip")
    text = render_script(ArrayRequest("cb-x", "x", ("-c", ""), 3, tmp_path, resources))
    assert "#SBATCH --array=0-2%3" in text


def test_one_profile_is_for_this_machine_and_one_for_a_debugger() -> None:
    assert load_profile("local") == LocalProfile(name="local", executor="local")
    assert load_profile("debug") == DebugProfile(name="debug", executor="debug")


def test_settings_are_on_the_same_level_as_the_fields_of_the_profile(tmp_path: Path) -> None:
    profile = _slurm(tmp_path, "partition: gpu\nmax_submit: 7\n")
    assert (profile.name, profile.max_submit, profile.get_resources()) == ("mine", 7, JobResources(partition="gpu"))


def test_a_method_takes_precedence_over_a_study_and_its_variant_over_both(tmp_path: Path) -> None:
    text = (
        "nodes: 1\nmem_gb: 1\ntimeout_min: 10\nworkers: 9\n"
        "studies: {demo: {mem_gb: 2, timeout_min: 20, workers: 8}}\n"
        "methods: {spnet: {mem_gb: 3, timeout_min: 30}, spnet/no words: {mem_gb: 4}}\n"
    )
    resources = _slurm(tmp_path, text).get_resources(study="demo", method="spnet", variant="no words")
    assert (resources.mem_gb, resources.timeout_min, resources.workers, resources.nodes) == (4, 30, 8, 1)


def test_settings_for_other_methods_change_nothing(tmp_path: Path) -> None:
    profile = _slurm(tmp_path, "mem_gb: 1\nmethods: {spnet: {mem_gb: 3}, spnet/b: {mem_gb: 4}}\n")
    assert profile.get_resources(study="demo", method="maskclip", variant="b").mem_gb == 1
    assert profile.get_resources(method="spnet", variant="a").mem_gb == 3


def test_null_resets_a_setting(tmp_path: Path) -> None:
    profile = _slurm(tmp_path, "qos: low\nmethods: {spnet: {qos: null}}\n")
    assert profile.get_resources(method="spnet").qos is None


def test_further_options_are_replaced_one_by_one(tmp_path: Path) -> None:
    text = "additional_parameters: {hint: a, nice: 5}\nmethods: {spnet: {additional_parameters: {nice: 9}}}\n"
    options = _slurm(tmp_path, text).get_resources(method="spnet").additional_parameters
    assert options == {"hint": "a", "nice": 9}


def test_changes_that_cannot_be_combined_are_named(tmp_path: Path) -> None:
    text = "timeout_min: 60\nstudies: {demo: {timeout_min: 5}}\nmethods: {spnet: {signal_delay_s: 600}}\n"
    with pytest.raises(ValueError, match=r"studies\.demo and methods\.spnet: signal_delay_s 600 must be less than the"):
        _slurm(tmp_path, text).get_resources(study="demo", method="spnet")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("partitoin: gpu", "no setting 'partitoin'; did you mean 'partition'\\? There are: .*additional_parameters"),
        ("lives: 3", "'lives' is now called 'max_attempts_without_progress'"),
        ("methods: {spnet: {lives: 3}}", r"methods\.spnet: 'lives' is now called 'max_attempts_without_progress'"),
        ("slurm_partition: gpu", "no setting 'slurm_partition'; did you mean 'partition'\\?"),
        ("methods: {spnet: {mem: 3}}", r"methods\.spnet: no setting 'mem'; did you mean 'mem_gb'\?"),
        ("studies: {demo: {max_submit: 3}}", r"studies\.demo: no setting 'max_submit'"),
        ("studies: {demo: 3}", r"studies\.demo=3: expected a table \(key: value\)"),
        ("jobs: 3", "jobs is a field of executor: local"),
        ("account: 'a\\b'", "SLURM would misread backslashes"),
        ('additional_parameters: {comment2: "a\\nb"}', "comment2: SLURM would misread"),
        ("additional_parameters: {'nice --begin': 3}", "'nice --begin' is not the name of an option of sbatch"),
        ("timeout_min: 0", "timeout_min=0: SLURM counts whole minutes from 1; "),
        ("timeout_min: 0.5", "timeout_min=0.5: SLURM counts whole minutes"),
        ("timeout_min: 10:30", "timeout_min='10:30': SLURM counts whole minutes .* are 630"),
        ("mem_gb: 0", "mem_gb=0: expected a number above 0"),
        ("tasks_per_node: 0", "tasks_per_node=0: expected a number of at least 1"),
        ("timeout_min: 2\nsignal_delay_s: 120", "signal_delay_s 120 must be less than the 120 s of timeout_min 2"),
        ("nodes: 2\nruns_per_job: 3", "runs_per_job 3 cannot be combined with 2 tasks"),
        ("account: 0123", "line 2: 0123 is not read alike everywhere: .* the text '0123'"),
        ("qos: true", "qos=true: YAML reads this as true: put it in quotes"),
        ("additional_parameters: {exclusive: yes}", "exclusive: yes is a text: write true for a flag"),
        ("partition: ''", "partition='': this must be one line of text"),
        ("setup: [{a: b}]", r"setup\.0: expected a text"),
        ("container: 'apptainer \"x'\npython: python3", "container=.*: a shell cannot parse this"),
        ("container: apptainer exec x.sif", "container is set but python is not"),
        ("gpus_per_node: 1\ngres: gpu:2", "gpus_per_node and gres both request GPUs"),
        ("mem_gb: 1\nadditional_parameters: {mem: 0}", "mem_gb and additional_parameters: mem are the same"),
        ("additional_parameters: {time: 3}", "time cannot be set: set timeout_min instead"),
        ("additional_parameters: {gpus-per-node: 3}", "belongs one level up, as gpus_per_node"),
        ("additional_parameters: {--nice: 3}", "--nice: write it without the leading dashes"),
        ("additional_parameters: {overcommit: false}", "overcommit: to leave a flag unset, remove it"),
    ],
)
def test_a_mistake_is_named_with_its_file(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"mine\.yaml is not a valid profile: .*{message}"):
        _slurm(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("executor: local\npartition: gpu", "partition is a field of executor: slurm and has no meaning for .* local"),
        ("executor: debug\nstudies: {}", "studies is a field of executor: slurm"),
        ("executor: local\nthread: 3", "no field 'thread'; did you mean 'threads'"),
        ("executor: slrum", "no executor 'slrum'; did you mean 'slurm'"),
        ("jobs: 3", "no executor ''"),
        ("- executor: local", "not a valid profile"),
        ("executor: [", "not a valid profile"),
    ],
)
def test_a_field_without_meaning_is_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        load_profile(_file(tmp_path, text))


def test_an_own_profile_replaces_an_included_one(tmp_path: Path) -> None:
    (tmp_path / "slurm.yaml").write_text("executor: slurm\npartition: mine\n")
    assert load_profile("slurm").get_resources().partition == "mine"
    assert list_profiles() == INCLUDED


def test_own_profiles_are_found_in_the_configuration_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHIMERA_BENCH_PROFILES")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "chimera-bench/profiles").mkdir(parents=True)
    (tmp_path / "chimera-bench/profiles/lab.yaml").write_text("executor: debug\n")
    assert load_profile("lab").executor == "debug"
    assert "lab" in list_profiles()


def test_an_unknown_profile_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="no profile 'locl'; did you mean 'local'"):
        load_profile("locl")
    with pytest.raises(KeyError, match="no profile file"):
        load_profile(str(tmp_path / "none.yaml"))


def test_setup_may_be_a_block_of_lines(tmp_path: Path) -> None:
    assert _slurm(tmp_path, "setup: |\n  module purge\n\n  module load cuda\n").base.setup == (
        "module purge",
        "module load cuda",
    )


@pytest.mark.parametrize(
    ("settings", "threads", "workers"),
    [
        ({"cpus_per_task": 8}, 8, 0),
        ({"cpus_per_task": 8, "runs_per_job": 3}, 2, 0),
        ({"cpus_per_task": 1, "runs_per_job": 3}, 1, 0),
        ({"cpus_per_task": 8, "gpus_per_node": 1}, 1, 7),
        ({"cpus_per_task": 8, "gres": "gpu:a100:2", "runs_per_job": 2}, 1, 3),
        ({"cpus_per_task": 8, "gpus_per_node": 1, "threads": 2}, 2, 6),
        ({"cpus_per_task": 8, "threads": 1, "workers": 5}, 1, 5),
    ],
)
def test_runs_share_the_processors_of_their_job(settings: dict, threads: int, workers: int) -> None:
    assert JobResources(**settings).per_run == WorkerResources(threads, workers)


def test_cost_measuring_can_be_switched_off_in_a_profile_and_for_every_profile(tmp_path: Path) -> None:
    assert not _slurm(tmp_path, "measures_cost: false").base.per_run.measures_cost
    profile = _slurm(tmp_path, "methods: {spnet: {threads: 3}}")
    resources = switch_off_cost(profile).get_resources(method="spnet").per_run
    assert (resources.measures_cost, resources.threads) == (False, 3) and profile.base.measures_cost
    assert not any(switch_off_cost(load_profile(name)).measures_cost for name in ("local", "debug"))


def test_a_job_has_the_tasks_processors_and_gpus_of_all_its_nodes() -> None:
    resources = JobResources(nodes=2, tasks_per_node=4, cpus_per_task=8, gpus_per_node=4)
    assert (resources.tasks, resources.cpus, resources.gpus) == (8, 64, 8)


@pytest.mark.parametrize(("gres", "gpus"), [("gpu", 1), ("gpu:2", 2), ("gpu:a100", 1), ("shard:9,gpu:a100:3", 3)])
def test_gpus_are_counted_in_every_notation(gres: str, gpus: int) -> None:
    assert JobResources(gres=gres).gpus == gpus
