"""Other prompts than those of the split, around the same names: the aliases of the split stay in effect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from pydantic import model_validator

from benchmark.core.method import Config
from benchmark.core.prompts import read_templates
from benchmark.core.train_split import ClassTexts


class TemplatePromptsConfig(Config):
    """Fixed prompts: the templates of the split, or others.

    Attributes:
        templates: Templates with one {} each, or in a study and on the command line the name of a file under
            `splits/prompts`, such as "imagenet80"; empty for those of the split.
    """

    kind: Literal["templates"] = "templates"
    templates: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _read_file(cls, fields: Any) -> Any:
        if isinstance(fields, Mapping) and isinstance(fields.get("templates"), str):
            return {**fields, "templates": read_templates(fields["templates"])}
        return fields

    @model_validator(mode="after")
    def _check_templates(self) -> TemplatePromptsConfig:
        check_templates(self.templates)
        return self


def check_templates(templates: Iterable[str]) -> None:
    """Check that each template has one position of the class name.

    Raises:
        ValueError: A template has none, or several.
    """
    for template in templates:
        if template.count("{}") != 1:
            raise ValueError(f"template {template!r} needs exactly one {{}}, the position of the class name")


class OtherTemplates(ClassTexts):
    """The texts of a split with other templates.

    Args:
        texts: Texts of the split.
        templates: At least one template.
    """

    def __init__(self, texts: ClassTexts, templates: Sequence[str]) -> None:
        self.templates, self.synonyms, self.aliases = tuple(templates), texts.synonyms, texts.aliases
        self._texts = texts

    def texts(self, name: str) -> tuple[str, ...]:
        """Return the T texts of a class, whose mean stands for it."""
        return tuple(template.format(part) for part in find_nouns(self._texts, name) for template in self.templates)


def find_nouns(texts: ClassTexts, name: str) -> tuple[str, ...]:
    """Return what stands in the templates of a split for a class: its name, its alias, or the parts of its alias.

    A split gives whole texts for names that it does not list, since an alias may name an unseen class. The noun is what
    the first template leaves of them.

    Args:
        texts: Texts of the split.
        name: Class name.
    """
    before, _, after = texts.templates[0].partition("{}")
    filled = texts.texts(name)[:: len(texts.templates)]
    return tuple(text.removeprefix(before).removesuffix(after) for text in filled)


SCULPTURE = TemplatePromptsConfig(templates=("a sculpture of a {}.",))
"""The single prompt of zsseg."""


def select_texts(config: TemplatePromptsConfig, texts: ClassTexts) -> ClassTexts:
    """Return the texts that fixed prompts make of those of a split."""
    return OtherTemplates(texts, config.templates) if config.templates else texts
