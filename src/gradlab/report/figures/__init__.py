"""The figures of a page, one kind a file; each states what it found in its title."""

from gradlab.report.figures.figure import Figure

__all__ = ["Figure"]
