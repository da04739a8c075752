"""Code that travels: a user's class as source bytes, hash and qualified name, imported elsewhere."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import site
import sys
import sysconfig
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["Source", "source_of"]

_importing = threading.Lock()


@dataclass(frozen=True)
class Source:
    """Where a class or function comes from.

    Attributes:
        module: Name of the module that defines it.
        qualname: Its qualified name there.
        digest: First 20 hexadecimal digits of the SHA-256 of the source file; "" where there is none.
        code: The same of the class's or function's own lines, so that the rest of a page may change.
        content: The source file; None where the module is installed and is imported by name.
        in_process: Whether it can be used in this process only: a lambda, a local class, or one from a
            notebook or from the running script.
    """

    module: str
    qualname: str
    digest: str
    code: str
    content: bytes | None
    in_process: bool

    def load(self) -> Any:
        """The class or function.

        Raises:
            LookupError: It cannot be used outside the process that defined it.
        """
        if self.in_process:
            raise LookupError(
                f"{self.qualname} is defined in {self.module} and can be used in that process only"
            )
        found: Any = importlib.import_module(self.module) if self.content is None else _module(self)
        for name in self.qualname.split("."):
            found = getattr(found, name)
        return found


def _module(source: Source) -> ModuleType:
    """The module that the source bytes define, executed once a process."""
    assert source.content is not None
    name = f"gradlab_foreign_{source.digest}"
    with _importing:
        if name in sys.modules:
            return sys.modules[name]
        module = ModuleType(name)
        module.__dict__["__file__"] = f"<{source.module}>"
        sys.modules[name] = module  # dataclasses and typing look their module up while it is being executed
        try:
            exec(compile(source.content, f"<{source.module}>", "exec"), module.__dict__)
        except BaseException:
            del sys.modules[name]
            raise
        return module


def source_of(target: Any) -> Source:
    """Where `target`, a class or function, comes from and whether it can travel."""
    module = str(getattr(target, "__module__", "") or "__main__")
    qualname = str(getattr(target, "__qualname__", type(target).__qualname__))
    try:
        path = Path(inspect.getfile(target))
        content = path.read_bytes()
    except (OSError, TypeError):
        return Source(module, qualname, "", "", None, in_process=True)
    digest = hashlib.sha256(content).hexdigest()[:20]
    try:
        code = hashlib.sha256(inspect.getsource(target).encode()).hexdigest()[:20]
    except (OSError, TypeError):
        code = digest
    if module == "__main__" or "<" in qualname:
        return Source(module, qualname, digest, code, None, in_process=True)
    installed = any(path.resolve().is_relative_to(root) for root in _installed())
    return Source(module, qualname, digest, code, None if installed else content, in_process=False)


@cache
def _installed() -> tuple[Path, ...]:
    """Folders whose modules every worker can import by name."""
    paths = sysconfig.get_paths()
    roots = [
        paths["purelib"],
        paths["platlib"],
        paths["stdlib"],
        *site.getsitepackages(),
        site.getusersitepackages(),
    ]
    return tuple(Path(root).resolve() for root in roots)
