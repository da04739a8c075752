"""What answering the command line and declaring a study may cost: no heavy module is imported for it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("torch", "numba", "polars", "scipy", "sklearn", "altair", "vl_convert")

LOADED = """
import contextlib, io, json, sys
with contextlib.redirect_stdout(io.StringIO()):
    {code}
print(json.dumps([name for name in {heavy} if name in sys.modules]))
"""

COMMAND = """
    from gradlab.cli import main
    with contextlib.suppress(SystemExit):
        main({arguments})
"""


def loaded_by(code: str) -> list[str]:
    """The heavy modules that a fresh interpreter has loaded after `code`."""
    program = LOADED.format(code=code.strip(), heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "module",
    ["gradlab", "gradlab.component", "gradlab.study", "gradlab.task", "gradlab.model", "gradlab.catalog"],
)
def test_declarations_import_nothing_heavy(module: str) -> None:
    assert loaded_by(f"import {module}") == []


def test_every_public_name_imports_nothing_heavy() -> None:
    assert loaded_by("import gradlab; [getattr(gradlab, name) for name in gradlab.__all__]") == []


def test_declaring_and_planning_a_study_imports_nothing_heavy() -> None:
    assert loaded_by("from gradlab import catalog; catalog.load('reports/002/sim-sinc').plan('full')") == []


@pytest.mark.parametrize(
    "arguments", [["--help"], ["list"], ["list", "--json"], ["run", "--help"], ["schema"]]
)
def test_the_command_line_answers_without_heavy_imports(arguments: list[str]) -> None:
    assert loaded_by(COMMAND.format(arguments=arguments)) == []
