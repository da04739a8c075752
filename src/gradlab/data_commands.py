"""`gradlab data`: which image sets are on this machine, whether they are as published, and fetching them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gradlab.errors import EnvironmentProblem, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradlab.task.readers.published import Published

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    help="Image sets: which are on this machine, whether they are as published, and fetching them.",
    context_settings={"help_option_names": ["-h", "--help"]},
)

JsonOption = Annotated[bool, typer.Option("--json", help="Print data as JSON on stdout.")]


@app.command("fetch")
def fetch_(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Image sets, such as mnist.")],
    to: Annotated[
        Path | None, typer.Option("--to", help="Data folder; that of GRADLAB_DATA, or gradlab's own.")
    ] = None,
    mirror: Annotated[
        str, typer.Option("--mirror", metavar="URL", help="Fetch from here, not from the published address.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Download image sets. What arrives is verified; the same command continues after an interruption."""
    from gradlab.task.fetch import fetch

    wanted = _known(names)
    folders = {published.name: str(fetch(published, to, mirror, _told)) for published in wanted}
    if as_json:
        print(json.dumps(folders, indent=2))
    else:
        print(*folders.values(), sep="\n")


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """Every image set, and where it is on this machine."""
    from gradlab.task.readers import PUBLISHED, places

    rows = [_row(published) for published in PUBLISHED.values()]
    searched = [str(place) for place in places()]
    if as_json:
        print(json.dumps({"sets": rows, "searched": searched}, indent=2))
        return
    for row in rows:
        images = f"{row['train']:,} + {row['test']:,} images"
        print(f"{row['name']:<14} {images:<24} {row['path'] or 'not on this machine'}")
    print(f"searched: {', '.join(searched)}", file=sys.stderr)


@app.command()
def verify(
    names: Annotated[
        list[str], typer.Argument(metavar="[NAME...]", help="Image sets; all on this machine if none.")
    ] = [],  # noqa: B006 - typer reads the default, nothing changes it
    as_json: JsonOption = False,
) -> None:
    """Read image sets whole and check them: SHA-256 of the content, sizes, how many images a class has."""
    from gradlab.task.readers import PUBLISHED, locate, read

    rows: list[dict[str, Any]] = []
    for published in _known(names) if names else PUBLISHED.values():
        if not names and not _row(published)["path"]:
            continue
        row: dict[str, Any] = {"name": published.name, "ok": True, "path": None, "problem": None}
        try:
            row["path"] = str(locate(published).path)
            read(published)
            row["checked"] = "SHA-256 of the content" if published.digests else "sizes and classes"
        except EnvironmentProblem as error:
            row |= {"ok": False, "problem": str(error)}
        rows.append(row)
    if as_json:
        print(json.dumps(rows, indent=2))
    else:
        for row in rows:
            told = f"{row['path']} ({row['checked']})" if row["ok"] else row["problem"]
            print(f"{'ok' if row['ok'] else 'PROBLEM':<8} {row['name']}: {told}")
        if not rows:
            print(
                "no image set is on this machine; `gradlab data fetch mnist` downloads one", file=sys.stderr
            )
    if not all(row["ok"] for row in rows):
        raise EnvironmentProblem("an image set is missing or not as published; see above")


def _row(published: Published) -> dict[str, Any]:
    from gradlab.task.readers import locate

    try:
        path = str(locate(published).path)
    except EnvironmentProblem:
        path = None
    return {
        "name": published.name,
        "title": published.title,
        "train": sum(published.train_counts),
        "test": sum(published.test_counts),
        "path": path,
    }


def _known(names: Sequence[str]) -> list[Published]:
    """The image sets of these names; `cifar-10` and `CIFAR10` are the same one.

    Raises:
        BadParameter: There is no such set.
    """
    from gradlab.task.readers import PUBLISHED

    plain = {name.replace("_", ""): published for name, published in PUBLISHED.items()}
    found: list[Published] = []
    for name in names:
        published = plain.get(name.lower().replace("_", "").replace("-", ""))
        if published is None:
            near = nearest(name.lower(), PUBLISHED)
            hint = f"; did you mean {near!r}?" if near else ""
            raise typer.BadParameter(f"{name!r} is not an image set; they are {', '.join(PUBLISHED)}{hint}")
        found.append(published)
    return list({published.name: published for published in found}.values())


def _told(name: str, done: int, total: int) -> None:
    """Progress on one line, where a person is looking."""
    if sys.stderr.isatty():
        of = f" of {total / 1e6:,.1f}" if total else ""
        end = "\n" if total and done >= total else ""
        print(f"\r{name}: {done / 1e6:,.1f}{of} MB", end=end, file=sys.stderr, flush=True)
