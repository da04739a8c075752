"""Colours and markers: Okabe-Ito, one colour and one marker per condition through a whole page.

Figures are defined in the colours of a light page. On a page each of these becomes a CSS variable, so that
dark mode and print are a matter of the style sheet; in files they stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["BAND_OPACITY", "INK", "Ink", "Style", "css_variables", "styles", "variable_of"]


@dataclass(frozen=True)
class Ink:
    """Colours that are not data, as (light, dark)."""

    paper: tuple[str, str] = ("#fffffe", "#15181c")
    text: tuple[str, str] = ("#1b1e22", "#e9ebee")
    soft: tuple[str, str] = ("#5a6069", "#a4abb5")
    rule: tuple[str, str] = ("#c3c8ce", "#454c56")
    grid: tuple[str, str] = ("#e9ebee", "#272c33")
    wash: tuple[str, str] = ("#f4f5f7", "#1d2127")


INK = Ink()
BAND_OPACITY = 0.18

# Okabe and Ito (2008), in the order in which neighbours differ most; (light line, light label, dark line and
# label). Labels are darkened until they read on white (4.5:1); on black the blue and the green are lightened.
_OKABE_ITO = (
    ("#0072b2", "#005f96", "#4aa8e0"),
    ("#d55e00", "#b04c00", "#f0813a"),
    ("#009e73", "#00775a", "#2fc99c"),
    ("#cc79a7", "#a04a7b", "#de94bd"),
    ("#e69f00", "#8a5f00", "#f0b43c"),
    ("#56b4e9", "#22739f", "#9ad6fa"),
    ("#2b2f36", "#2c3037", "#d3d7dd"),
    ("#d9cc1f", "#6f6800", "#f4e95e"),
)
_MARKERS = (
    "circle",
    "square",
    "triangle-up",
    "triangle-down",
    "cross",
    "triangle-right",
    "stroke",
    "triangle-left",
)
MARKER_TEXT = {
    "circle": "●",
    "square": "■",
    "triangle-up": "▲",
    "triangle-down": "▼",
    "cross": "✚",
    "triangle-right": "▶",
    "stroke": "▬",
    "triangle-left": "◀",
}


@dataclass(frozen=True)
class Style:
    """How one condition looks.

    Attributes:
        name: The condition.
        index: Its place in the study.
        line: Colour of lines and dots, as a light page has it.
        label: The same hue, dark enough for text.
        marker: Vega's name of the marker that repeats the colour.
    """

    name: str
    index: int
    line: str
    label: str
    marker: str

    @property
    def symbol(self) -> str:
        """The marker as a character, for keys in text."""
        return MARKER_TEXT[self.marker]

    @property
    def css(self) -> str:
        """The class that gives text this condition's colour."""
        return f"k{self.index % len(_OKABE_ITO) + 1}"


def styles(names: Sequence[str]) -> dict[str, Style]:
    """One style per condition, by place; past eight, colours repeat with another marker.

    Example:
        >>> found = styles(["deep", "shallow"])
        >>> found["shallow"].line, found["shallow"].marker
        ('#d55e00', 'square')
    """
    size = len(_OKABE_ITO)
    return {
        name: Style(
            name,
            index,
            _OKABE_ITO[index % size][0],
            _OKABE_ITO[index % size][1],
            _MARKERS[(index + index // size) % len(_MARKERS)],
        )
        for index, name in enumerate(names)
    }


def _variables() -> dict[str, tuple[str, str, str]]:
    """Variable name -> (light, dark, light again for look-up)."""
    table: dict[str, tuple[str, str, str]] = {}
    for role in ("paper", "text", "soft", "rule", "grid", "wash"):
        light, dark = getattr(INK, role)
        table[role] = (light, dark, light)
    for index, (line, label, dark) in enumerate(_OKABE_ITO, start=1):
        table[f"c{index}"] = (line, dark, line)
        table[f"t{index}"] = (label, dark, label)
    return table


def variable_of() -> dict[str, str]:
    """The CSS variable of each colour that figures are defined in."""
    return {light: f"var(--{name})" for name, (light, _, _) in _variables().items()}


def css_variables(dark: bool = False) -> str:
    """The declarations `--c1: #0072b2; ...` of one colour scheme."""
    return " ".join(f"--{name}: {values[1 if dark else 0]};" for name, values in _variables().items())
