"""A model and a task as one writes them on the command line: a line of TOML, or `package.module:Net(8)`."""

from __future__ import annotations

import ast
import importlib
import re
import sys
import tomllib
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from gradlab.component import Component, kind_of, walk
from gradlab.errors import Problem, UsageError, nearest
from gradlab.model import MODELS, Model, Module
from gradlab.study.problems import problems_of
from gradlab.task import TASKS, Task

__all__ = ["here_importable", "model_of", "task_of"]

_REFERENCE = re.compile(r"(?P<module>[A-Za-z_][\w.]*):(?P<name>[A-Za-z_][\w.]*)(?P<call>\(.*\))?", re.S)


class _Asked(Component):
    """What is validated, so that problems are told as those of a study are."""

    model: Model | None = None
    data: Task | None = None


def model_of(given: object) -> Any:
    """The model that is meant.

    Args:
        given: A declared model, a table of one, a `torch.nn.Module`, a class or function that builds one, or a
            text: TOML (`cnn = "conv 16x3, pool 2"`, `mlp = [256, 128]`), or `package.module:Net`, perhaps with
            literal arguments, as in `nets:Net(8, dropout=0.5)`.

    Returns:
        A declared model or a `torch.nn.Module`.

    Raises:
        UsageError: The text cannot be read, or names nothing that can be imported.

    Example:
        >>> model_of("mlp = [256, 128]").hidden
        (256, 128)
    """
    if isinstance(given, str):
        reference = _REFERENCE.fullmatch(given.strip())
        if reference is not None:
            return _imported(given, reference)
        given = _table(given, "model", MODELS, 'cnn = "conv 16x3, pool 2", mlp = [256, 128] or nets:Net(8)')
    if isinstance(given, Component | Mapping | str):
        return _declared("model", given)
    if isinstance(given, type) or (callable(given) and not hasattr(given, "state_dict")):
        return Module(cast("Callable[..., Any]", given))
    return given


def task_of(given: object) -> Any:
    """The task that is meant.

    Args:
        given: A declared task, a table of one, or TOML: `mnist`, `cifar10 = { mean = [...], std = [...] }`.

    Returns:
        The task.

    Raises:
        UsageError: The text cannot be read, or is no task.

    Example:
        >>> task_of("digits = { test = 0.5 }").size
        899
    """
    if isinstance(given, str):
        given = _table(given, "data", TASKS, "mnist or cifar10 = { resize = 32 }")
    return _declared("data", given)


def _declared(name: str, given: object) -> Any:
    try:
        found = getattr(_Asked.model_validate({name: given}), name)
    except ValidationError as error:
        raise UsageError(problems_of(error, _Asked)) from None
    problems = [
        Problem(
            f"{name}.{path}".strip("."),
            ", ".join(level for level, _ in varied.levels),
            "takes one value here",
        )
        for path, varied in walk(found)
    ]
    if problems:
        raise UsageError(problems)
    return found


def _table(text: str, name: str, classes: tuple[type[Component], ...], example: str) -> object:
    """What a text of TOML says: a kind, a table without its braces, or with them."""
    text = text.strip()
    kinds = [kind_of(cls) for cls in classes]
    if re.fullmatch(r"\w+", text):
        if text not in kinds:
            problem = Problem(name, text, "is not a known kind", ", ".join(kinds), nearest(text, kinds))
            raise UsageError([problem])
        return text
    try:
        inside = text if text.startswith("{") else f"{{ {text} }}"
        return tomllib.loads(f"value = {inside}")["value"]
    except tomllib.TOMLDecodeError as error:
        raise UsageError([
            Problem(name, text, f"cannot be read as TOML ({error})", f"such as {example}")
        ]) from None


def _imported(text: str, reference: re.Match[str]) -> Module:
    """A class or function of a module, with arguments that are read and never evaluated."""

    def wrong(message: str, suggestion: str | None = None) -> UsageError:
        return UsageError([Problem("model", text, message, suggestion=suggestion)])

    try:
        found: Any = importlib.import_module(reference["module"])
    except Exception as error:  # whatever the user's own module raises
        raise wrong(f"cannot import {reference['module']}: {type(error).__name__}: {error}") from None
    for part in reference["name"].split("."):
        if not hasattr(found, part):
            raise wrong(f"{reference['module']} has no {part}", nearest(part, vars(found)))
        found = getattr(found, part)
    if not callable(found):
        raise wrong(
            f"{reference['name']} is a {type(found).__name__}, not a class or function that builds a network"
        )
    args, keywords = _literals(reference["call"] or "()", wrong)
    return Module(cast("Callable[..., Any]", found), *args, **keywords)


def _literals(call: str, wrong: Callable[[str], UsageError]) -> tuple[list[Any], dict[str, Any]]:
    told = "takes literal arguments only, as in nets:Net(8, dropout=0.5)"
    try:
        tree = ast.parse(f"call{call}", mode="eval").body
    except SyntaxError:
        raise wrong(told) from None
    if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name):
        raise wrong(told)
    try:
        keywords = {
            str(item.arg): ast.literal_eval(item.value) for item in tree.keywords if item.arg is not None
        }
        if len(keywords) < len(tree.keywords):
            raise wrong(told)
        return [ast.literal_eval(item) for item in tree.args], keywords
    except ValueError:
        raise wrong(told) from None


@contextmanager
def here_importable() -> Generator[None]:
    """Let modules in the current folder be imported, as `python -m` does, for as long as this lasts."""
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
