"""What a figure is: words, and a chart for each size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from markupsafe import Markup

from gradlab.report.axes import NARROW, WIDE, Node, Size
from gradlab.report.frame import Tables, compose
from gradlab.report.svg import Format, inline, render

__all__ = ["Figure"]


@dataclass(frozen=True)
class Figure:
    """A figure of a page.

    Attributes:
        name: Its file's name, and what makes its ids unique.
        title: The finding, composed from the data.
        subtitle: What is drawn.
        draw: The chart in a size; `None` where there is nothing to draw.
        missing: Why there is nothing to draw.
        note: What else a reader must know, such as how curves were thinned.
    """

    name: str
    title: str
    subtitle: str
    draw: Callable[[Size, Tables], Node] | None = None
    missing: str = ""
    note: str = ""

    def svg(self, size: Size) -> Markup:
        """The figure as an element of a page, without its words, which the page sets as text."""
        if self.draw is None:
            return Markup("")
        label = f"{self.title}. {self.subtitle}"
        definition = compose(self.draw, size)
        return Markup(
            inline(
                definition, prefix=f"{self.name}-{size.name}", label=label, css=size.name, least=size.width
            )
        )

    @cached_property
    def wide(self) -> Markup:
        """For a column of text and for print."""
        return self.svg(WIDE)

    @cached_property
    def narrow(self) -> Markup:
        """For a phone."""
        return self.svg(NARROW)

    def chart(self, size: Size = WIDE) -> Any:
        """The figure as an Altair chart, to change or to show in a notebook.

        Args:
            size: The size.

        Returns:
            An `altair.Chart`, checked against the Vega-Lite schema.

        Raises:
            ValueError: There is nothing to draw.
        """
        import altair as alt

        if self.draw is None:
            raise ValueError(f"{self.name}: {self.missing}")
        return alt.Chart.from_dict(compose(self.draw, size, title=self.title, subtitle=self.subtitle))

    def file(self, form: Format, *, scale: float = 2.0) -> bytes:
        """The figure with its words as the content of a file.

        Args:
            form: "svg", "png" or "pdf".
            scale: Pixels of a PNG per unit.

        Returns:
            The content.

        Raises:
            ValueError: There is nothing to draw.
        """
        if self.draw is None:
            raise ValueError(f"{self.name}: {self.missing}")
        definition = compose(self.draw, WIDE, title=self.title, subtitle=self.subtitle)
        return render(definition, form, scale=scale)
