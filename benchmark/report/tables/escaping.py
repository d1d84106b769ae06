"""Text that people give us, as it is written, in every output format: one function per format."""

from __future__ import annotations

import re
import unicodedata

from benchmark.utils.plain_text import clean_text

_MARKDOWN = re.compile(r"[\\`*_\[\]<>|$~&#!]")
"""Characters that mean something within a line of Markdown, of its tables and mathematics, or of HTML."""

_ACCENTS = frozenset("\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0327")
"""Combining accents that every font encoding of LaTeX has."""
FIRST_UNKNOWN = 0x180
"""Code point after the blocks Latin-1 and Latin Extended-A, whose accented letters LaTeX reads."""
_KNOWN_TO_LATEX = frozenset("ßæœøÆŒØłŁı¡¿§¶©®£\u2013\u2014\u2018\u2019\u201c\u201d")
"""Further characters beyond ASCII that LaTeX prints as they are, whatever its engine."""
_TEXT_COMMANDS = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": "\\textbackslash{}",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "|": "\\textbar{}",
    '"': "{\\ttfamily\\char34}",
    "'": "\\textquotesingle{}",
    "`": "\\textasciigrave{}",
    "*": "{*}",  # after the end of a row, a bare star or bracket would be an argument of it
    "[": "{[}",
    "]": "{]}",
    "…": "\\ldots{}",
    "\u201e": ",,",
    "†": "\\textdagger{}",
    "\u2021": "\\textdaggerdbl{}",
    "•": "\\textbullet{}",
    "€": "\\texteuro{}",
    "°": "\\textdegree{}",
    "\u00a0": "~",
}
_MATH = {
    "<": "<",
    ">": ">",
    "±": "\\pm",
    "\u2212": "-",
    "\u00d7": "\\times",
    "÷": "\\div",
    "·": "\\cdot",
    "≤": "\\leq",
    "≥": "\\geq",
    "≠": "\\neq",
    "≈": "\\approx",
    "≪": "\\ll",
    "≫": "\\gg",
    "∞": "\\infty",
    "∈": "\\in",
    "\u222a": "\\cup",
    "∩": "\\cap",
    "∅": "\\emptyset",
    "√": "\\surd",
    "∑": "\\sum",
    "∇": "\\nabla",
    "∂": "\\partial",
    "→": "\\rightarrow",
    "←": "\\leftarrow",
    "↑": "\\uparrow",
    "↓": "\\downarrow",
    "↔": "\\leftrightarrow",
    "⇒": "\\Rightarrow",
    "µ": "\\mu",
    "ϵ": "\\epsilon",
    "¬": "\\neg",
    **{character: f"^{digit}" for digit, character in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
    **{character: f"_{digit}" for digit, character in enumerate("₀₁₂₃₄₅₆₇₈₉")},
}
_GREEK = re.compile(
    "alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|pi|rho|sigma|tau|upsilon|phi|chi|psi|omega|"
    "Gamma|Delta|Theta|Lambda|Xi|Pi|Sigma|Upsilon|Phi|Psi|Omega"
)
"""Greek letters with a command of their own; the other capitals look like Latin ones."""
_GREEK_NAME = re.compile(r"GREEK (SMALL|CAPITAL) LETTER ([A-Z]+)")

UNICODE_COMMAND = "\\benchchar"
"""Command for a character that pdfLaTeX cannot print: its number in decimal and in hex."""
UNICODE_DEFINITION = (
    f"\\DeclareRobustCommand{{{UNICODE_COMMAND}}}[2]{{\\ifdefined\\Umathchar\\char#1\\relax\\else\\texttt{{U+#2}}\\fi}}"
)
"""Definition of this command: the character under LuaLaTeX and XeLaTeX, its code point under pdfLaTeX."""


def escape_markdown(text: str) -> str:
    """Return a text so that Markdown shows it as it is."""
    return _MARKDOWN.sub(r"\\\g<0>", clean_text(text))


def escape_latex(text: str) -> str:
    """Return a text so that LaTeX prints it as it is under any engine, see `UNICODE_DEFINITION`."""
    escaped = "".join(map(_escape_latex_character, unicodedata.normalize("NFC", clean_text(text))))
    return re.sub(r"([-,])(?=\1)", r"\1{}", escaped)  # two of them would become one character


def escape_latex_number(text: str) -> str:
    """Escape a text, with hyphens before digits as minus signs and a lone hyphen as a dash."""
    return "--" if text == "-" else re.sub(r"(?<![A-Za-z0-9])-(?=\d)", "$-$", escape_latex(text))


def find_hidden_characters(text: str) -> list[str]:
    """Return the different characters of a text that pdfLaTeX prints as code points."""
    cleaned = unicodedata.normalize("NFC", clean_text(text))
    return [character for character in dict.fromkeys(cleaned) if UNICODE_COMMAND in _escape_latex_character(character)]


def _escape_latex_character(character: str) -> str:
    if character in _TEXT_COMMANDS:
        return _TEXT_COMMANDS[character]
    if character in _MATH:
        return f"${_MATH[character]}$"
    greek = _spell_greek(character)
    if greek:
        return f"$\\{greek}$"
    if character.isascii() or character in _KNOWN_TO_LATEX or _is_accented(character):
        return character
    return f"{UNICODE_COMMAND}{{{ord(character)}}}{{{ord(character):04X}}}"


def _spell_greek(character: str) -> str:
    """Return the command of a Greek letter without accent; empty for other characters."""
    match = _GREEK_NAME.fullmatch(unicodedata.name(character, ""))
    if match is None:
        return ""
    name = match[2].replace("LAMDA", "LAMBDA")
    spelled = name.lower() if match[1] == "SMALL" else name.capitalize()
    return spelled if _GREEK.fullmatch(spelled) else ""


def _is_accented(character: str) -> bool:
    """Return whether a character is an ASCII letter with one accent that every encoding and input has."""
    parts = unicodedata.normalize("NFD", character)
    if ord(character) >= FIRST_UNKNOWN or len(parts) != 2:
        return False
    return parts[0].isascii() and parts[0].isalpha() and parts[1] in _ACCENTS
