"""Tables of papers on the command line: names, options, missing runs as a study, archives."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from benchmark.core.plan import Plan, PlanRow
from benchmark.report.tables.formats import FORMATS
from benchmark.store.store import Store
from tests.cli.shell import TINY, run_command
from tests.report.world import even, save, spec_of


@pytest.fixture
def paper(tmp_path: Path) -> str:
    """Return the name of a table in a file: two rows of a tiny method on toybox, and published numbers on VOC."""
    shutil.copy(TINY, tmp_path / "tiny_method.py")
    rows = [
        {"label": "plain", "method": "tiny_method.py"},
        {"label": "wide", "method": "tiny_method.py", "set": {"scale": 0.5}},
        {"label": "ZegCLIP", "published": "ZegCLIP"},
    ]
    table = {
        "title": "main",
        "datasets": [{"label": "Toybox", "split": "toybox"}, {"label": "VOC", "split": "voc12"}],
        "rows": rows,
        "seeds": [0, 1],
        "setting": "inductive",
    }
    fields = {"title": "Mine", "citation": "none", "source": "ours", "tables": {"main": table}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(fields))
    return f"{tmp_path}/mine.yaml/main"


def save_table(root: Path, *, seeds: int, study: str = "mine.main", labels: Sequence[str] = ("plain", "wide")) -> None:
    """Save runs and the plan of a table with two rows on toybox."""
    store, rows = Store(root), []
    for label, unseen in zip(labels, (60, 40), strict=True):
        ids = {seed: save(store, spec_of(label, seed=seed), even(90 + seed, unseen + seed)) for seed in range(seeds)}
        missing = {seed: spec_of(label, seed=seed).id for seed in range(seeds, 2)}
        rows.append(PlanRow(label=label, method="demo", split="toybox", ids={**ids, **missing}))
    store.write_plan(Plan(study=study, title="Mine: main", rows=tuple(rows)))


def test_a_table_of_an_empty_store_names_the_commands_that_fill_it(
    paper: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run_command(capsys, "--runs", str(tmp_path / "runs"), "table", paper, "--wide")
    words = " ".join(out.split())
    command = "chimera-bench run mine.yaml/main --split toybox"
    assert code == 0 and f"Toybox: 4 of 4 runs missing. To compute them: {command}" in words
    assert str(tmp_path) not in out
    assert "91.9 / 77.8 / 84.3" in out


def test_commands_below_a_table_are_repeated_with_folders_on_stderr_alone(
    paper: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("table", paper, "--format", "md")
    one, other = (run_command(capsys, "--runs", str(tmp_path / name), *arguments) for name in ("one", "other"))
    assert one.out == other.out and str(tmp_path) not in one.out
    assert f"chimera-bench --runs {tmp_path / 'one'} run {paper} --split toybox" in one.err
    assert run_command(capsys, "--runs", str(tmp_path / "one"), *arguments, "--no-notes").err == ""


def test_a_table_is_drawn_from_its_plan(paper: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_table(tmp_path / "runs", seeds=2)
    arguments = ("--runs", str(tmp_path / "runs"), "table", paper, "--split", "toybox")
    value = json.loads(run_command(capsys, *arguments, "--json").out)
    scores = {(line["row"], line["metric"]): line["value"] for line in value["lines"]}
    assert scores["plain", "hiou"] > scores["wide", "hiou"] and value["datasets"] == ["Toybox"]
    out = run_command(capsys, *arguments, "--provenance").out
    assert out.count("seed 0") == 2 and spec_of("plain").id in out


@pytest.mark.parametrize("options", [("--sort", "hiou"), ("--by-split",), ("--baseline", "wide")])
def test_options_without_a_meaning_are_refused(
    options: tuple[str, ...], paper: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run_command(capsys, "--runs", str(tmp_path / "runs"), "table", paper, *options)
    assert code == 2 and f"{options[0]} has no meaning" in err


def test_provenance_is_for_tables_of_papers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_table(tmp_path, seeds=1)
    code, _, err = run_command(capsys, "--runs", str(tmp_path), "table", "mine.main", "--provenance")
    assert code == 2 and "--provenance has no meaning" in err


def test_misspelt_tables_columns_and_splits_are_named_with_the_nearest(
    paper: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = ("--runs", str(tmp_path / "runs"))
    assert "did you mean 'main'" in run_command(capsys, *runs, "table", f"{paper[:-4]}mian").err
    assert "did you mean 'components'" in run_command(capsys, *runs, "table", "chimera-seg/component").err
    assert "did you mean 'hiou'" in run_command(capsys, *runs, "table", paper, "--columns", "hiuo").err
    assert "did you mean 'toybox'" in run_command(capsys, *runs, "table", paper, "--split", "toybx").err


@pytest.mark.parametrize("command", ["plan", "run", "missing", "submit -c local", "speed pace", "table", "status"])
def test_a_paper_alone_is_answered_with_its_tables(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run_command(capsys, "--runs", str(tmp_path / "runs"), *command.split(), "chimera-seg")
    assert code == 1 and "'chimera-seg' is a paper: give one of its tables: chimera-seg/main, " in err


def test_missing_runs_are_a_study_with_the_same_ids(
    paper: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs, out = ("--runs", str(tmp_path / "runs")), str(tmp_path / "left.yaml")
    code, text, _ = run_command(capsys, *runs, "missing", paper, "--split", "toybox", "--out", out)
    assert code == 0 and "4 of 4 runs not done" in text
    wanted = json.loads(run_command(capsys, *runs, "missing", paper, "--split", "toybox", "--json").out)["missing"]
    planned = json.loads(run_command(capsys, *runs, "plan", out, "--json").out)["states"]
    assert sorted(planned) == sorted(wanted) and len(wanted) == 4


@pytest.mark.usefixtures("own_process")
def test_only_what_is_missing_is_in_the_study(paper: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs, out = ("--runs", str(tmp_path / "runs")), tmp_path / "left.yaml"
    run_command(
        capsys, *runs, "run", paper, "--split", "toybox", "--seed", "1", "--max-images", "0", "-j", "1", "--no-cost"
    )
    code, text, _ = run_command(capsys, *runs, "missing", paper, "--split", "toybox", "--out", str(out))
    assert code == 0 and "2 of 4 runs not done" in text
    assert [row["seeds"] for row in yaml.safe_load(out.read_text())["rows"]] == [[0], [0]]


def test_data_that_are_not_here_make_all_runs_missing(
    paper: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run_command(capsys, "--runs", str(tmp_path / "runs"), "missing", paper, "--split", "voc12")
    assert code == 0 and "4 of 4 runs not done" in out and "needs a data folder" in err


def test_a_study_file_has_the_suffix_of_one(paper: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--runs", str(tmp_path / "runs"), "missing", paper, "--split", "toybox", "--out", "left.txt")
    code, _, err = run_command(capsys, *arguments)
    assert code == 1 and "ends in .yaml" in err


def test_an_archive_has_the_table_and_draws_it_again(
    paper: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_table(tmp_path / "runs", seeds=2)
    archive, new = str(tmp_path / "results.zip"), ("--runs", str(tmp_path / "new"))
    assert run_command(capsys, "--runs", str(tmp_path / "runs"), "export", paper, "--out", archive).code == 0
    assert run_command(capsys, *new, "import", archive).code == 0
    arguments = ("table", paper, "--format", "csv")
    first, second = (run_command(capsys, *place, *arguments).out for place in (("--runs", str(tmp_path / "runs")), new))
    assert first == second and first.count("\n") > 3
    assert run_command(capsys, *new, "import", archive, "--check").code == 0


@pytest.mark.parametrize(
    ("wrong", "message"), [("scael: 0.5", "no setting 'scael'"), ("scale: 0.01", "are the same runs")]
)
def test_a_table_with_an_impossible_row_is_refused_and_not_missing(
    wrong: str, message: str, paper: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(Store(tmp_path / "runs"), spec_of("other"), even(90, 60))
    file = tmp_path / "mine.yaml"
    file.write_text(file.read_text().replace("scale: 0.5", wrong))
    code, _, err = run_command(capsys, "--runs", str(tmp_path / "runs"), "table", paper, "--split", "toybox")
    assert code == 1 and message in err


def test_a_table_that_was_never_planned_is_no_unknown_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run_command(capsys, "--runs", str(tmp_path), "compute", "chimera-seg/main")
    assert code == 1 and "was never planned" in err and "did you mean" not in err


def test_costs_are_in_csv_and_json(paper: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_table(tmp_path / "runs", seeds=2)
    arguments = (
        "table",
        paper,
        "--split",
        "toybox",
        "--columns",
        "hiou,hiou_difference,trainable_parameters",
        "--json",
    )
    lines = json.loads(run_command(capsys, "--runs", str(tmp_path / "runs"), *arguments).out)["lines"]
    values = {(line["row"], line["metric"]): line for line in lines}
    assert values["wide", "trainable_parameters"]["value"] == 250_000
    assert values["wide", "hiou_difference"]["low"] <= values["wide", "hiou_difference"]["value"] < 0


def test_an_archive_of_an_included_table_has_it_with_its_ticks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, archive = "chimera-seg/components", tmp_path / "results.zip"
    labels = ("Chimera-Seg", "no SGD")
    save_table(tmp_path / "runs", seeds=2, study="chimera-seg.components.toybox", labels=labels)
    assert run_command(capsys, "--runs", str(tmp_path / "runs"), "export", name, "--out", str(archive)).code == 0
    with zipfile.ZipFile(archive) as file:
        texts = [file.read(entry).decode() for entry in file.namelist() if entry.endswith("components.toybox.md")]
    assert len(texts) == 1 and "| Method | CSH | SGD | SAM |" in texts[0] and "\u2713" in texts[0]


def test_an_archive_prints_the_table_of_a_file_without_the_file(
    paper: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    save_table(tmp_path / "runs", seeds=2)
    archive, new = tmp_path / "results.zip", ("--runs", str(tmp_path / "new"))
    assert run_command(capsys, "--runs", str(tmp_path / "runs"), "export", paper, "--out", str(archive)).code == 0
    with zipfile.ZipFile(archive) as file:
        tables = {fmt: file.read(f"tables/mine.main.{fmt}").decode() for fmt in FORMATS}
    for name in ("mine.yaml", "tiny_method.py"):
        (tmp_path / name).unlink()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    done = run_command(capsys, *new, "import", str(archive))
    assert done.code == 0 and "table mine.yaml/main" in done.err
    for fmt in FORMATS:
        assert run_command(capsys, *new, "table", "mine.yaml/main", "--format", fmt).out == tables[fmt]
    assert run_command(capsys, *new, "import", str(archive), "--check").code == 0
    assert all(str(tmp_path) not in text for text in tables.values())


def test_an_imported_paper_is_none_to_be_planned_when_it_is_printed(
    paper: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    save_table(tmp_path / "runs", seeds=2)
    papers = tmp_path / "runs" / "papers"
    papers.mkdir()
    shutil.move(tmp_path / "mine.yaml", papers / "mine.yaml")
    (papers / "tiny_method.py").write_text("raise SystemExit('executed')")
    code, out, _ = run_command(capsys, "--runs", str(tmp_path / "runs"), "table", "mine.yaml/main", "--wide")
    assert code == 0 and "VOC: 4 of 4 runs missing" in " ".join(out.split())


def test_a_table_of_a_paper_is_not_mixed_with_other_names(
    paper: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_table(tmp_path, seeds=1)
    for names in ((paper, "demo"), ("demo", paper)):
        code, out, err = run_command(capsys, "--runs", str(tmp_path), "table", *names)
        assert code == 1 and not out and err.count("\n") == 1 and "is printed alone" in err
    assert f"chimera-bench --runs {tmp_path} table demo mine.main" in err
    assert run_command(capsys, "--runs", str(tmp_path), "table", "demo", "mine.main").code == 0


@pytest.mark.parametrize("command", ["table", "run", "status", "missing"])
def test_a_paper_without_its_table_is_answered_with_its_tables(
    command: str, paper: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs, file = ("--runs", str(tmp_path / "runs")), paper.removesuffix("/main")
    code, _, err = run_command(capsys, *runs, command, file)
    assert code == 1 and err == f"error: {file!r} is a paper: give one of its tables: {file}/main\n"


def test_an_included_paper_whose_method_has_no_runs_is_answered_with_its_tables(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    err = run_command(capsys, "--runs", str(tmp_path), "table", "cliper").err
    assert "'cliper' is a paper: give one of its tables: cliper/main" in err and "no runs of a method" in err


@pytest.mark.usefixtures("own_process")
def test_what_was_run_is_printed_by_the_name_of_its_table(
    paper: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = ("--runs", str(tmp_path / "runs"))
    out = run_command(capsys, *runs, "run", paper, "--split", "toybox", "--max-images", "4", "-j", "1", "--no-cost").out
    name, options = f"{paper}+max_images=4", ("--split", "toybox")
    assert out.splitlines()[-1] == f"Print the table: chimera-bench {' '.join(runs)} table {name} {' '.join(options)}"
    text = " ".join(run_command(capsys, *runs, "table", name, *options).out.split())
    assert "missing" not in text.partition("The words missing")[0] and "first 4 images" in text


def test_a_name_with_changed_settings_is_for_reports_and_not_run_without_them(
    paper: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_table(tmp_path / "runs", seeds=2, study="mine.main+max_images=4")
    runs, changed = ("--runs", str(tmp_path / "runs")), f"{paper}+max_images=4"
    assert "(mine.yaml/main --max-images 4)" in run_command(capsys, *runs, "run", changed).err
    table = run_command(capsys, *runs, "table", f"{changed}+scale=1", "--split", "toybox")
    command = "chimera-bench run mine.yaml/main --max-images 4 --set scale=1 --split toybox"
    assert command in " ".join(table.out.split())
    assert "other settings: mine.yaml/main+max_images=4" in table.err
    assert "other settings: mine.yaml/main+max_images=4" in run_command(capsys, *runs, "status", paper).err
