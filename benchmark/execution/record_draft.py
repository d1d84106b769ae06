"""The record of a run while the run is not finished."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from benchmark.core.environment import Environment
from benchmark.core.method import Config, Recipe, Supervision
from benchmark.core.protocol_class import ProtocolClass
from benchmark.core.run_record import Cost, Failure, RunRecord
from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.core.spec_traits import derive_traits
from benchmark.core.split import Split
from benchmark.store.attempts import Attempt
from benchmark.store.environment import list_package_versions


@dataclass(frozen=True)
class RecordDraft:
    """The fields of a record that are known before the run has ended.

    Attributes:
        spec: Spec of the run.
        attempt: Current attempt at the run.
        environment: Environment at the start of the attempt.
        code: Digests of the files that can change the result, as in the record.
        inputs: Digests of the files that were read, as in the record; grows while the run reads files.
        title: Title of the method; empty until the recipe is loaded.
        paper: Citation of the method; empty until the recipe is loaded.
        supervision: Supervision of the method; empty until the recipe is loaded.
        reconstruction: Parts of the method that are not the paper's; empty until the recipe is loaded.
        is_deterministic: Whether every seed gives the same result; False until the recipe is loaded.
        traits: Traits of the result; unknown until the run is loaded.
    """

    spec: RunSpec
    attempt: Attempt
    environment: Environment
    code: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    title: str = ""
    paper: str = ""
    supervision: str = ""
    reconstruction: str = ""
    is_deterministic: bool = False
    traits: ProtocolClass = field(default_factory=ProtocolClass)

    def describe_method(self, recipe: Recipe[Any]) -> RecordDraft:
        """Return the draft with the description of the method."""
        traits, supervision = recipe.traits, recipe.traits.supervision
        if self.spec.protocol.setting != "inductive" and self.spec.budget.iterations:
            supervision = Supervision.SEEN_MASKS_UNSEEN_NAMES
        return replace(
            self,
            title=recipe.title,
            paper=recipe.paper,
            supervision=supervision,
            reconstruction=traits.reconstruction,
            is_deterministic=self.spec.is_published_result or traits.gives_one_result(self.spec.budget),
        )

    def describe_traits(self, recipe: Recipe[Any], config: Config, split: Split) -> RecordDraft:
        """Return the draft with the traits of the result.

        Args:
            recipe: Recipe of the method.
            config: Configuration of the method.
            split: Split of the run.
        """
        extra_models = (*recipe.traits.extra_models, *config.describe_extra_models())
        traits = derive_traits(self.spec, supervision=self.supervision).model_copy(
            update={
                "background": split.background,
                "threshold": "none" if split.background == "class" else "",
                "backbone": " + ".join(config.describe_backbone()),
                "extra_models": tuple(dict.fromkeys(extra_models)),
            }
        )
        return replace(self, traits=traits)

    def finish(self, counts_digest: str, *, cost: Cost, continued_from: tuple[str, ...]) -> RunRecord:
        """Return the record of a run that is done."""
        return self._make_record(
            state=RunState.DONE, counts_digest=counts_digest, cost=cost, continued_from=continued_from
        )

    def fail(self, failure: Failure) -> RunRecord:
        """Return the record of a run that failed."""
        return self._make_record(state=RunState.FAILED, failure=failure)

    def _make_record(self, **result: Any) -> RunRecord:
        return RunRecord(
            spec=self.spec,
            # some packages are loaded only when a run needs them
            environment=self.environment.model_copy(update={"packages": list_package_versions()}),
            code=self.code,
            inputs=dict(sorted(self.inputs.items())),
            attempts=self.attempt.number,
            started=self.attempt.started,
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
            title=self.title,
            paper=self.paper,
            supervision=self.supervision,
            reconstruction=self.reconstruction,
            is_deterministic=self.is_deterministic,
            traits=self.traits,
            **result,
        )
