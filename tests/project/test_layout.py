"""The rules of the house that no linter knows."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions, version
from pathlib import Path

import gradlab

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "gradlab"
TESTS = ROOT / "tests"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

LONGEST_MODULE = 500

NOT_MIRRORED = {"bench", "conformance", "docs", "golden", "oracles", "project"}
"""Folders of tests that are not about one room: batteries, pinned identities, oracles, the project itself."""

WHOLE_ROOM = {"engine/test_killed.py"}
"""Tests of what several modules of a room promise together."""

UNFINISHED = re.compile(
    r"\b(TODO|FIXME|XXX|HACK)\b|pytest\.(skip|xfail|importorskip)|mark\.(skip|skipif|xfail)\b"
)

TEXT = {".md", ".py", ".toml", ".txt", ".yml", ".yaml", ".html", ".css", ".js", ".j2", ""}


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def test_no_module_is_long() -> None:
    lengths = {str(path.relative_to(SOURCE)): len(path.read_text("utf-8").splitlines()) for path in modules()}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_MODULE} == {}


def test_tests_mirror_the_source() -> None:
    strays = []
    for path in sorted(TESTS.rglob("test_*.py")):
        inside = path.relative_to(TESTS)
        if inside.parts[0] in NOT_MIRRORED or str(inside) in WHOLE_ROOM:
            continue
        name = inside.name.removeprefix("test_").removesuffix(".py")
        # a module may be a package, and one module's tests may be split: test_lab_damage.py is about lab.py
        heads = ["_".join(name.split("_")[: n + 1]) for n in range(name.count("_") + 1)]
        folder = SOURCE / inside.parent
        if not any((folder / f"{head}.py").exists() or (folder / head).is_dir() for head in heads):
            strays.append(str(inside))
    assert strays == [], "each tests/<room>/test_<module>.py belongs to src/gradlab/<room>/<module>.py"


def test_nothing_is_left_open_or_skipped() -> None:
    own = Path(__file__)
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for folder in (SOURCE, TESTS, ROOT / "docs")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix in TEXT and path != own and "__pycache__" not in path.parts
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1)
        if UNFINISHED.search(line)
    ]
    assert found == []


def test_no_text_names_a_home_folder_or_a_secret_place() -> None:
    # a path of somebody's machine works nowhere else
    pattern = re.compile(r"/(home|Users|root|work|opt)/\w+")
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for folder in (SOURCE, TESTS, ROOT / "docs", ROOT / ".ci")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.suffix in TEXT
        and path != Path(__file__)
        and "__pycache__" not in path.parts
        for match in pattern.finditer(path.read_text("utf-8"))
    ]
    assert found == []


def test_the_version_has_one_source() -> None:
    assert PROJECT["tool"]["hatch"]["version"]["path"] == "src/gradlab/__init__.py"
    assert gradlab.__version__ == version("gradlab")


def test_the_changelog_knows_this_version() -> None:
    assert f"## [{gradlab.__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def bounds(requirements: list[str]) -> dict[str, str]:
    """The lower bound of each requirement by its name."""
    found = (re.match(r"([\w.-]+)(?:\[[\w,]+\])?>=([\w.]+)", text) for text in requirements)
    return {match[1].lower(): match[2] for match in found if match}


PEERS = {"jax", "jaxlib"}
"""What benchmarks compare with where it is installed; never needed."""


COMPANIONS = {"llvmlite", "markupsafe", "pydantic_core", "threadpoolctl"}
"""Parts of numba, jinja2, pydantic and scikit-learn, which require them."""


def test_every_imported_package_is_declared() -> None:
    imported: set[str] = set()
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                imported.add(node.module.partition(".")[0])
    foreign = imported - sys.stdlib_module_names - {"gradlab"} - PEERS - COMPANIONS
    project = PROJECT["project"]
    extras = project["optional-dependencies"]
    declared = bounds([*project["dependencies"], *extras["dask"], *extras["images"]])
    owners = packages_distributions()
    undeclared = {
        name for name in foreign if not {owner.lower() for owner in owners.get(name, [name])} & set(declared)
    }
    assert undeclared == set()


def test_the_oldest_supported_versions_are_the_lower_bounds() -> None:
    declared = bounds(PROJECT["project"]["dependencies"])
    pins = dict(
        line.split("==")
        for line in (ROOT / "constraints" / "oldest.txt").read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    )
    declared.pop("torch")  # its lower bound is not at hand as a CPU build; constraints/oldest.txt says so
    assert pins == declared


def test_every_checking_tool_is_pinned() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    pinned = (ROOT / "constraints" / "tools.txt").read_text("utf-8")
    missing = [
        name for name in bounds(extras["check"] + extras["docs"]) if f"\n{name}==" not in f"\n{pinned}"
    ]
    assert missing == []


def test_the_readme_marks_its_two_commands() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    for name in ("run", "test"):
        assert re.search(rf"<!-- newcomer: {name} -->\s*```bash\n.*?```", readme, re.S), name
