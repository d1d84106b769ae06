"""What became of the runs, plans and papers of another store, for people and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmark.cli.console import print_line

if TYPE_CHECKING:
    from benchmark.exchange.merge_store import MergeResult


def print_merge(result: MergeResult, *, is_dry: bool) -> None:
    """Print what became of the runs and plans of another store."""
    from benchmark.exchange.merge_decision import Fate

    counts = " · ".join(f"{result.count(fate)} {fate}" for fate in Fate if result.count(fate)) or "no runs"
    print_line(f"{result.source}{' (dry run)' if is_dry else ''}: {counts}")
    for decision in result.runs:
        if decision.reason:
            print_line(f"  {decision.fate}: {decision.run_id} ({decision.reason})")
    for kind, merged in (("plan", result.plans), ("paper", result.papers)):
        for part in merged:
            if part.action != "identical":
                print_line(f"  {kind} {part.name}: {part.action}" + (f" ({part.reason})" if part.reason else ""))


def describe_merge(result: MergeResult) -> dict[str, Any]:
    """Return what became of the runs and plans of another store, for JSON."""
    runs = [{"id": run.run_id, "fate": run.fate, "reason": run.reason} for run in result.runs]
    plans = [{"name": plan.name, "action": plan.action, "reason": plan.reason} for plan in result.plans]
    papers = [{"name": paper.name, "action": paper.action, "reason": paper.reason} for paper in result.papers]
    return {
        "source": str(result.source),
        "runs": runs,
        "plans": plans,
        "papers": papers,
        "exit_code": result.exit_code,
    }
