"""What a method may know about a split: no name of an unseen class, unless the supervision of the method includes them.

`Recipe.build` gets a `TrainSplit` in place of the `Split`. What depends on unseen names is asked for by name: the texts
of a class, and its partner in a control experiment. Checks of a config against all classes belong to
`Config.check_split`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchmark.core.prompts import Prompts
from benchmark.core.seeding import KeyedRandom, Part
from benchmark.core.split import Split


class WithheldNamesError(ValueError):
    """A method asks for names of unseen classes that its supervision does not include."""


class ClassTexts:
    """Texts for class names: they are given for any name, and only seen names can be listed.

    Args:
        prompts: Prompts of the split.
        names: Class names whose aliases may be listed.

    Attributes:
        templates: Templates with exactly one {} each.
        aliases: Class name to the text that replaces it, for the names that may be listed.
        synonyms: Meaning of a comma in an alias, see `Prompts`.
    """

    def __init__(self, prompts: Prompts, names: Sequence[str]) -> None:
        self.templates, self.synonyms = prompts.templates, prompts.synonyms
        self.aliases = {name: alias for name, alias in prompts.aliases.items() if name in names}
        self._prompts = prompts

    def texts(self, name: str) -> tuple[str, ...]:
        """Return the T texts of a class, whose mean stands for it; see `Prompts.texts`."""
        return self._prompts.texts(name)


@dataclass(frozen=True)
class TrainSplit:
    """A split as `Recipe.build` sees it.

    Attributes:
        name: Name of the split.
        dataset: Name of the dataset.
        seen: Classes with masks in training, in order.
        background: Treatment of the label for pixels outside all classes, see `Split`.
        prompts: Texts for class names.
        withheld_by: Supervision of the method if it does not include the names of unseen classes; empty if it does.
    """

    name: str
    dataset: str
    seen: tuple[str, ...]
    background: str
    prompts: ClassTexts
    withheld_by: str
    _split: Split = field(repr=False)

    @property
    def num_classes(self) -> int:
        """Number of all classes, seen and unseen."""
        return len(self._split.classes)

    @property
    def unseen(self) -> tuple[str, ...]:
        """Classes without masks in training.

        Raises:
            WithheldNamesError: The supervision of the method does not include their names.
        """
        return self._get_full_split("unseen").unseen

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of all classes, in the order of the score maps.

        Raises:
            WithheldNamesError: The supervision of the method does not include the names of unseen classes.
        """
        return self._get_full_split("classes").classes

    @property
    def is_seen(self) -> tuple[bool, ...]:
        """Whether each class is seen, in the order of `classes`.

        Raises:
            WithheldNamesError: The supervision of the method does not include the names of unseen classes.
        """
        return self._get_full_split("is_seen").is_seen

    def draw_partners(self, *key: Part) -> Callable[[str], str]:
        """Assign to every class another one of its side, seen or unseen, in one random cycle for each side.

        Args:
            key: Key of the random draws.

        Returns:
            Function from a class name to the name of its partner. Names outside of the split are their own partners,
            and so is the only class of a side.
        """
        partners: dict[str, str] = {}
        for side, names in {"seen": self._split.seen, "unseen": self._split.unseen}.items():
            order = KeyedRandom(*key, side).sample(range(len(names)), len(names))
            pairs = zip(order, order[1:] + order[:1], strict=True)
            partners |= {names[index]: names[partner] for index, partner in pairs}
        return lambda name: partners.get(name, name)

    def _get_full_split(self, attribute: str) -> Split:
        if self.withheld_by:
            raise WithheldNamesError(
                f"split.{attribute} holds names of unseen classes, which a method with supervision "
                f"{self.withheld_by!r} must not know: use split.seen or split.num_classes, or declare "
                "Supervision.SEEN_MASKS_UNSEEN_NAMES if training needs them"
            )
        return self._split


def make_train_split(split: Split, *, withheld_by: str = "") -> TrainSplit:
    """Return what a method may know about a split.

    Args:
        split: The split.
        withheld_by: Supervision that does not include the names of unseen classes; empty to withhold nothing.
    """
    listed = split.seen if withheld_by else split.classes
    return TrainSplit(
        split.name, split.dataset, split.seen, split.background, ClassTexts(split.prompts, listed), withheld_by, split
    )
