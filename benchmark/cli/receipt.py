"""What `submit` and `retry` print about a submission: what was sent, what was not, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark.cli.console import format_command, format_count, format_states, print_line, print_note

if TYPE_CHECKING:
    from benchmark.planning.selection import Selection
    from benchmark.store.store import Store
    from slurm.submit import Receipt


def print_receipt(store: Store, selection: Selection, receipt: Receipt, *, retry_failed: bool) -> None:
    """Print what was sent and what was not.

    Args:
        store: Store of the runs.
        selection: Runs that were to be submitted.
        receipt: Result of the submission.
        retry_failed: Whether failed runs were submitted too.
    """
    states = [run.state for run in receipt.before.runs]
    for line in receipt.before.queue.notes:
        print_note(line)
    if receipt.adopted:
        print_note(f"{format_count(receipt.adopted, 'array')} of an interrupted submission found in the queue")
    print_line(f"{format_count(len(states), 'run')}: {format_states(states)}")
    _print_sent(receipt)
    print_line(f"{format_count(receipt.num_sent, 'run')} submitted")
    for line in _list_reasons(receipt, retry_failed=retry_failed):
        print_note(line)
    if selection.named_plan is not None and (receipt.sent or any(state.is_active for state in states)):
        print_line(f"Watch the progress: {format_command(store, 'status', selection.name, '--watch')}")


def _print_sent(receipt: Receipt) -> None:
    for submission in receipt.sent:
        tasks = submission.manifest.tasks
        sent = submission.sent
        job = (sent.job + (f" on {sent.cluster}" if submission.manifest.clusters else "")) if sent else "?"
        runs = format_count(sum(map(len, tasks)), "run")
        print_line(f"job {job} ({submission.manifest.name}): {runs} in an array of {len(tasks)}")
    avoided = {node: reason for sent in receipt.sent for node, reason in sent.manifest.avoided_nodes.items()}
    for node, reason in avoided.items():
        print_line(f"node {node} is avoided: {reason}")


def _list_reasons(receipt: Receipt, *, retry_failed: bool) -> list[str]:
    """Return why runs were not sent, one line for each reason, and what to do."""
    runs, lines = receipt.before.runs, []
    if receipt.num_waiting:
        waiting = format_count(receipt.num_waiting, "run")
        lines.append(f"{waiting} not submitted, as the queue is full: run the same command again later")
    num_ending = sum(run.is_ending for run in runs)
    if num_ending:
        whose = format_count(num_ending, "run")
        lines.append(f"{whose} in jobs that are ending (COMPLETING), not submitted: submit again in a minute")
    lines += [f"not submitted: {run.reason}" for run in runs if run.is_unreadable]
    num_failed = sum(run.state.is_failed and not run.is_unreadable for run in runs)
    if num_failed and not retry_failed:
        lines.append(f"{num_failed} failed before, not resubmitted; use --retry-failed to resubmit")
    return lines
