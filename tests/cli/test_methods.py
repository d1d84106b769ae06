"""`test`: what it prints, its exit codes and its records; and what `run` says about a method that was never tested."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.shell import refuse_writing, run_command

FAULTY = "tests/contract/faulty_method.py"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHIMERA_BENCH_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def test_there_is_one_line_for_each_rule(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run_command(capsys, "test", f"{FAULTY}/thaw")
    lines = out.splitlines()
    (broken,) = [line for line in lines if line.split()[0] == "broken"]
    assert (code, lines[0], lines[-1]) == (3, "thaw on toybox", "thaw: 1 rule broken")
    assert "frozen-unchanged" in broken and "faulty_method.py:" in broken and "losses changes" in broken
    assert any(line.startswith("  not applicable  deterministic  ") for line in lines)


def test_a_kept_contract_ends_with_the_next_command(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run_command(capsys, "test", f"{FAULTY}/no fault")
    assert code == 0
    assert "1 variant: no rule is broken" in out and f"run '{FAULTY}/no fault' --split toybox" in out


@pytest.mark.parametrize(("variant", "code"), [("no fault", 1), ("thaw", 3)])
def test_a_result_that_cannot_be_recorded_is_printed_and_no_success(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, runs: Path, variant: str, code: int
) -> None:
    refuse_writing(monkeypatch)
    result = run_command(capsys, "test", f"{FAULTY}/{variant}")
    assert result.code == code and " rule" in "".join(result.out.splitlines()[-2:])
    (line,) = result.err.splitlines()
    assert line.startswith(f"error: not recorded, so tables call this code untested: cannot write {runs}/contract/")


def test_all_variants_are_tested_by_default(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "without_faults.py"
    file.write_text((ROOT / FAULTY).read_text().replace("for fault in FAULTS", "for fault in ()"))
    code, out, _ = run_command(capsys, "test", str(file))
    assert (code, out.splitlines()[-2]) == (0, "2 variants: no rule is broken")


def test_json_has_every_rule_with_its_state(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run_command(capsys, "test", f"{FAULTY}/unseen", "--json")
    (variant,) = json.loads(out)
    states = {rule["rule"]: rule["state"] for rule in variant["rules"]}
    assert (code, variant["variant"], variant["is_kept"]) == (3, "unseen", False)
    assert (states["build"], states["loss-values"]) == ("broken", "not checked")


def test_overrides_and_splits_are_those_of_a_run(capsys: pytest.CaptureFixture[str], runs: Path) -> None:
    code, out, _ = run_command(capsys, "test", f"{FAULTY}/no fault", "--split", "voc12", "--set", "fault=unused")
    assert code == 3 and "on voc12" in out and "'unused.weight'" in out
    assert not runs.exists()  # what was tested is no variant of the file


@pytest.mark.parametrize("name", ["maskclp", "nowhere.py", "maskclip/no such variant"])
def test_an_unknown_name_is_an_error(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run_command(capsys, "test", name)
    assert (code, out) == (1, "") and err.startswith("error: no ")


def test_run_says_in_one_line_that_a_method_was_never_tested(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmark.cli.runs.run_specs", lambda *_, **__: 0)
    arguments = ("run", f"{FAULTY}/no fault", "--split", "toybox", "--seed", "0", "--seed", "1")
    before = run_command(capsys, *arguments).err
    run_command(capsys, "test", f"{FAULTY}/no fault")
    after = run_command(capsys, *arguments).err
    assert "faulty_method/no fault: never tested with the code that runs (chimera-bench test /" in before
    assert before.count("never tested") == 1
    assert "never tested" not in after


def test_the_checks_need_neither_pytest_nor_the_tests(runs: Path) -> None:
    code = f"""if True:
        import sys
        sys.modules["pytest"] = sys.modules["tests"] = None
        from benchmark.cli import main
        main(["--runs", {str(runs)!r}, "test", {str(ROOT / FAULTY / "no fault")!r}])"""
    done = subprocess.run([sys.executable, "-c", code], cwd="/", env={"PYTHONPATH": str(ROOT)}, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_new_writes_a_file_and_prints_the_next_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CHIMERA_BENCH_RUNS")
    monkeypatch.chdir(tmp_path)
    code, out, _ = run_command(capsys, "new", "my_method")
    assert code == 0 and (tmp_path / "my_method.py").is_file()
    assert [line.partition("chimera-bench ")[2] for line in out.splitlines()[1:]] == [
        "test ./my_method.py",
        "run ./my_method.py --split toybox --seed 0",
        "table my_method",
    ]


def test_new_refuses_to_overwrite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.py").write_text("")
    code, _, err = run_command(capsys, "new", "mine", "--out", str(tmp_path))
    assert (code, err) == (
        1,
        f"error: {tmp_path}/mine.py exists and is not overwritten: choose another name or --out\n",
    )
