"""Every example in the documentation runs.

The blocks of a page run in order in one empty folder:

- `python` blocks share one set of names; one that begins with `# name.py` is also saved under that name;
- `pycon` blocks are doctests over the same names;
- `toml` blocks that begin with `# name.toml` are saved; those with a title must be valid studies;
- `console` blocks: each line after `$ ` that calls gradlab is run and must succeed; a last line of
  `# exit N` says that it must end with that code instead.
"""

from __future__ import annotations

import doctest
import re
import shlex
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from gradlab.study.toml import read_toml

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w+)[^\n]*\n(?P<body>.*?)^(?P=indent)```", re.S | re.M)
FILE = re.compile(r"# (?P<name>[\w-]+\.(?:py|toml))\n")
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def blocks(page: Path) -> list[tuple[str, str, int]]:
    """Language, body and line number of each fenced block that is run."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(text):
        if match["language"] in {"python", "pycon", "toml", "console"}:
            indent = match["indent"]
            body = "".join(line.removeprefix(indent) for line in match["body"].splitlines(keepends=True))
            found.append((match["language"], body, text.count("\n", 0, match.start()) + 2))
    return found


def save(body: str) -> None:
    named = FILE.match(body)
    if named:
        Path(named["name"]).write_text(body, encoding="utf-8")


def run_console(body: str) -> None:
    expected = re.search(r"^# exit (\d+)$", body, re.M)
    script = Path(sysconfig.get_path("scripts")) / "gradlab"
    for line in body.splitlines():
        if not line.startswith("$ gradlab"):
            continue
        command = [str(script), *shlex.split(line, comments=True)[2:]]
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        wanted = int(expected[1]) if expected else 0
        assert done.returncode == wanted, f"{line}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=lambda page: page.stem)
def test_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    names: dict[str, Any] = {"__name__": "example"}
    for language, body, line in blocks(page):
        where = f"{page.name}:{line}"
        if language == "toml":
            save(body)
            if "title" in body:
                read_toml(body, where)
        elif language == "console":
            run_console(body)
        elif language == "pycon":
            test = doctest.DocTestParser().get_doctest(body, names, where, str(page), line)
            failures = doctest.DocTestRunner(optionflags=FLAGS).run(test, clear_globs=False).failed
            names.update(test.globs)
            assert not failures, f"{where}: the output is not what the page shows"
        else:
            save(body)
            exec(compile("\n" * (line - 1) + body, str(page), "exec"), names)


def test_links_between_pages_lead_somewhere() -> None:
    broken = []
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?://|mailto:|#)([^)#\s]+)", page.read_text(encoding="utf-8")):
            if not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert broken == []
