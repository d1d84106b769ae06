"""Profiles: clusters as data, and what is different for a study or a method."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.execution.worker_process import Resources as Each
from slurm.requests.profile import PROFILES, DebugProfile, LocalProfile, SlurmProfile, load_profile, profile_names
from slurm.requests.resources import Resources
from slurm.requests.sbatch import Batch, script

SHIPPED = sorted(path.stem for path in PROFILES.glob("*.yaml"))


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


@pytest.mark.parametrize("name", SHIPPED)
def test_every_profile_that_ships_is_valid(name: str) -> None:
    assert load_profile(name).name == name


@pytest.mark.parametrize("name", sorted({*SHIPPED} - {"local", "debug"}))
def test_every_cluster_that_ships_gives_a_script(name: str, tmp_path: Path) -> None:
    profile = load_profile(name)
    text = script(Batch("cb-x", "x", ("-c", ""), 3, tmp_path, profile.resources(study="demo", method="maskclip")))
    assert "#SBATCH --array=0-2%3" in text


def test_there_is_one_for_this_machine_and_one_for_a_debugger() -> None:
    assert load_profile("local") == LocalProfile(name="local", executor="local")
    assert load_profile("debug") == DebugProfile(name="debug", executor="debug")


def test_settings_stand_beside_the_fields_of_the_profile(tmp_path: Path) -> None:
    profile = _slurm(tmp_path, "partition: gpu\nmax_submit: 7\n")
    assert (profile.name, profile.max_submit, profile.resources()) == ("mine", 7, Resources(partition="gpu"))


def test_a_method_goes_before_a_study_and_its_variant_before_both(tmp_path: Path) -> None:
    text = (
        "nodes: 1\nmem_gb: 1\ntimeout_min: 10\nlives: 9\n"
        "studies: {demo: {mem_gb: 2, timeout_min: 20, lives: 8}}\n"
        "methods: {spnet: {mem_gb: 3, timeout_min: 30}, spnet/no words: {mem_gb: 4}}\n"
    )
    found = _slurm(tmp_path, text).resources(study="demo", method="spnet", variant="no words")
    assert (found.mem_gb, found.timeout_min, found.lives, found.nodes) == (4, 30, 8, 1)


def test_what_is_for_others_changes_nothing(tmp_path: Path) -> None:
    profile = _slurm(tmp_path, "mem_gb: 1\nmethods: {spnet: {mem_gb: 3}, spnet/b: {mem_gb: 4}}\n")
    assert profile.resources(study="demo", method="maskclip", variant="b").mem_gb == 1
    assert profile.resources(method="spnet", variant="a").mem_gb == 3


def test_null_takes_a_setting_back(tmp_path: Path) -> None:
    profile = _slurm(tmp_path, "qos: low\nmethods: {spnet: {qos: null}}\n")
    assert profile.resources(method="spnet").qos is None


def test_further_options_are_replaced_one_by_one(tmp_path: Path) -> None:
    text = "additional_parameters: {hint: a, nice: 5}\nmethods: {spnet: {additional_parameters: {nice: 9}}}\n"
    found = _slurm(tmp_path, text).resources(method="spnet").additional_parameters
    assert found == {"hint": "a", "nice": 9}


def test_changes_that_do_not_go_together_are_named(tmp_path: Path) -> None:
    text = "timeout_min: 60\nstudies: {demo: {timeout_min: 5}}\nmethods: {spnet: {signal_delay_s: 600}}\n"
    with pytest.raises(ValueError, match=r"studies\.demo and methods\.spnet: signal_delay_s 600 must be less than the"):
        _slurm(tmp_path, text).resources(study="demo", method="spnet")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("partitoin: gpu", "no setting 'partitoin'; did you mean 'partition'\\? There are: .*additional_parameters"),
        ("slurm_partition: gpu", "no setting 'slurm_partition'; did you mean 'partition'\\?"),
        ("methods: {spnet: {mem: 3}}", r"methods\.spnet: no setting 'mem'; did you mean 'mem_gb'\?"),
        ("studies: {demo: {max_submit: 3}}", r"studies\.demo: no setting 'max_submit'"),
        ("studies: {demo: 3}", r"studies\.demo: Input should be a valid dictionary, given 3"),
        ("jobs: 3", "jobs is a field of executor: local"),
        ("timeout_min: 0", "timeout_min: SLURM counts whole minutes, from 1 on; .*, given 0"),
        ("timeout_min: 0.5", "timeout_min: SLURM counts whole minutes, .*, given 0.5"),
        ("timeout_min: 10:30", "timeout_min: SLURM counts whole minutes, .* are 630, given '10:30'"),
        ("mem_gb: 0", "mem_gb: Input should be greater than 0, given 0"),
        ("tasks_per_node: 0", "tasks_per_node: Input should be greater than or equal to 1, given 0"),
        ("timeout_min: 2\nsignal_delay_s: 120", "signal_delay_s 120 must be less than the 120 s of timeout_min 2"),
        ("nodes: 2\nruns_per_job: 3", "runs_per_job 3 does not go with 2 tasks"),
        ("account: 0123", "account: YAML reads this as 83: put it in quotes"),
        ("qos: no", "qos: YAML reads this as False: put it in quotes"),
        ("partition: ''", "partition: this must be one line of text"),
        ("setup: [{a: b}]", r"setup\.0: Input should be a valid string"),
        ("container: 'apptainer \"x'\npython: python3", "container: no shell can read this"),
        ("container: apptainer exec x.sif", "container is set: say which python it has"),
        ("gpus_per_node: 1\ngres: gpu:2", "gpus_per_node and gres both ask for GPUs"),
        ("mem_gb: 1\nadditional_parameters: {mem: 0}", "mem_gb and additional_parameters: mem are the same"),
        ("additional_parameters: {time: 3}", "time cannot be set: set timeout_min instead"),
        ("additional_parameters: {gpus-per-node: 3}", "belongs one level up, as gpus_per_node"),
        ("additional_parameters: {--nice: 3}", "--nice is written without the dashes"),
        ("additional_parameters: {overcommit: false}", "overcommit: a flag that is not set is left out"),
    ],
)
def test_a_mistake_is_named_with_its_file(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"mine\.yaml is not a valid profile: .*{message}"):
        _slurm(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("executor: local\npartition: gpu", "partition is a field of executor: slurm, and means nothing to .* local"),
        ("executor: debug\nstudies: {}", "studies is a field of executor: slurm"),
        ("executor: local\nthread: 3", "no field 'thread'; did you mean 'threads'"),
        ("executor: slrum", "no executor 'slrum'; did you mean 'slurm'"),
        ("jobs: 3", "no executor ''"),
        ("- executor: local", "not a valid profile"),
        ("executor: [", "not a valid profile"),
    ],
)
def test_a_field_that_means_nothing_is_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        load_profile(_file(tmp_path, text))


def test_ones_own_profile_takes_the_place_of_one_that_ships(tmp_path: Path) -> None:
    (tmp_path / "slurm.yaml").write_text("executor: slurm\npartition: mine\n")
    assert load_profile("slurm").resources().partition == "mine"
    assert profile_names() == SHIPPED


def test_ones_own_are_looked_for_below_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHIMERA_BENCH_PROFILES")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "chimera-bench/profiles").mkdir(parents=True)
    (tmp_path / "chimera-bench/profiles/lab.yaml").write_text("executor: debug\n")
    assert load_profile("lab").executor == "debug"
    assert "lab" in profile_names()


def test_a_profile_that_is_not_there_is_answered_with_the_nearest(tmp_path: Path) -> None:
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
    assert Resources(**settings).each == Each(threads, workers)


def test_a_job_has_the_tasks_processors_and_gpus_of_all_its_nodes() -> None:
    asked = Resources(nodes=2, tasks_per_node=4, cpus_per_task=8, gpus_per_node=4)
    assert (asked.tasks, asked.cpus, asked.gpus) == (8, 64, 8)


@pytest.mark.parametrize(("gres", "gpus"), [("gpu", 1), ("gpu:2", 2), ("gpu:a100", 1), ("shard:9,gpu:a100:3", 3)])
def test_gpus_are_counted_however_they_are_asked_for(gres: str, gpus: int) -> None:
    assert Resources(gres=gres).gpus == gpus
