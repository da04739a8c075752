"""From a chart definition to SVG for a page, or to SVG, PNG and PDF files.

On a page the SVG carries no colours of its own (CSS variables), no ids that could clash, coordinates with one
decimal, and native `<title>` elements where the definition has descriptions: hover without a script.
"""

from __future__ import annotations

import re
from typing import Any, Literal
from xml.etree import ElementTree

from gradlab.report.frame import HOVER
from gradlab.report.palette import variable_of

__all__ = ["Format", "inline", "render"]

Format = Literal["svg", "png", "pdf"]
_SVG = "{http://www.w3.org/2000/svg}"
_NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
_NOISE = ("aria-roledescription", "aria-hidden", "aria-label", "role", "stroke-miterlimit")
_COORDINATES = ("d", "transform", "points")
ElementTree.register_namespace("", "http://www.w3.org/2000/svg")


def render(definition: dict[str, Any], form: Format, *, scale: float = 2.0) -> bytes:
    """A definition as the bytes of a file.

    Args:
        definition: A Vega-Lite specification with its data inline.
        form: "svg", "png" or "pdf".
        scale: Pixels of the PNG per unit of the figure.

    Returns:
        The file's content.
    """
    import vl_convert

    if form == "png":
        return vl_convert.vegalite_to_png(definition, scale=scale, show_warnings=False)
    if form == "pdf":
        return vl_convert.vegalite_to_pdf(definition)
    return vl_convert.vegalite_to_svg(definition, show_warnings=False).encode()


def inline(definition: dict[str, Any], *, prefix: str, label: str, css: str = "", least: int = 0) -> str:
    """A definition as an SVG element for a page.

    Args:
        definition: A Vega-Lite specification with its data inline.
        prefix: What makes ids unique on the page.
        label: What a reader who cannot see the figure is told.
        css: Classes of the element.
        least: The least width that it has.

    Returns:
        The `<svg>` element; its text is escaped.
    """
    root = ElementTree.fromstring(render(definition, "svg"))
    colours = variable_of()
    for parent in root.iter():
        for child in list(parent):
            if child.tag == f"{_SVG}path" and child.get("d") == "":
                parent.remove(child)
    for element in root.iter():
        _tidy(element, colours, prefix)
    for child in list(root):
        if child.tag == f"{_SVG}rect":  # the paper is the page's own
            root.remove(child)
    # Text was measured with the fonts of this machine; readers have others, so the whole width is kept free.
    box = [float(part) for part in root.get("viewBox", "0 0 0 0").split()]
    width, height = max(box[2], float(least)), box[3]
    root.set("viewBox", f"0 0 {width:g} {height:g}")
    for name in ("width", "height", "version", "class"):
        root.attrib.pop(name, None)
    if css:
        root.set("class", css)
    root.set("role", "img")
    root.set("aria-label", label)
    root.set("style", f"max-width:{width:g}px;aspect-ratio:{width:g}/{height:g}")
    return ElementTree.tostring(root, encoding="unicode")


def _tidy(element: ElementTree.Element, colours: dict[str, str], prefix: str) -> None:
    spoken = element.get("aria-label", "")
    for name in _NOISE:
        element.attrib.pop(name, None)
    for name in ("fill", "stroke"):
        value = element.get(name)
        if value in colours:
            element.set(name, colours[value])
    for name in _COORDINATES:
        value = element.get(name)
        if value:
            element.set(name, _NUMBER.sub(_rounded, value))
    if element.get("id"):
        element.set("id", f"{prefix}-{element.get('id')}")
    clip = element.get("clip-path")
    if clip:
        element.set("clip-path", clip.replace("url(#", f"url(#{prefix}-"))
    element.attrib.pop("font-family", None)
    if spoken.startswith(HOVER):
        title = ElementTree.SubElement(element, f"{_SVG}title")
        title.text = spoken.removeprefix(HOVER)


def _rounded(match: re.Match[str]) -> str:
    text = f"{float(match.group()):.1f}"
    return text.removesuffix(".0") if text != "-0.0" else "0"
