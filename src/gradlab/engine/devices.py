"""GPUs: which there are, and the one that was asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gradlab.errors import EnvironmentProblem, Problem, StudyError, nearest

if TYPE_CHECKING:
    from gradlab.study.spec import Spec
    from gradlab.train.fleet import Backend

__all__ = ["described", "found", "gpus", "preferring"]

PROCESSORS = ("cpu", "cuda")


def gpus() -> list[str]:
    """Names of the GPUs that PyTorch can use here, in their order; this imports torch."""
    import torch

    if not torch.cuda.is_available():
        return []
    return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]


def found(name: str | None) -> str | None:
    """The GPU that was asked for.

    Args:
        name: "cuda", "cuda:1", or "cpu" or `None` for the processor.

    Returns:
        The device as torch names it, with its number; `None` for the processor.

    Raises:
        StudyError: There is no such kind of device.
        EnvironmentProblem: This machine has no such GPU.
    """
    if name is None or name == "cpu":
        return None
    kind, _, number = name.partition(":")
    if kind != "cuda" or (":" in name and not number.isdecimal()):
        suggestion = nearest(kind, PROCESSORS)
        raise StudyError([Problem("device", name, "is not a device", "cpu, cuda, cuda:1, ...", suggestion)])
    there = gpus()
    if not there:
        raise EnvironmentProblem(
            f"device {name!r}: PyTorch finds no GPU here ({_build()}); leave --device out to train on the processor"
        )
    index = int(number or 0)
    if index >= len(there):
        raise EnvironmentProblem(f"device {name!r}: there are only {len(there)}: {', '.join(there)}")
    return f"cuda:{index}"


def preferring(otherwise: Callable[[Spec], Backend]) -> Callable[[Spec], Backend]:
    """What trains a specification where there is a GPU.

    Args:
        otherwise: What trains it on the processor, where the GPU's trainer cannot.

    Returns:
        The choice.
    """
    from gradlab.train.learner import vmap_supports

    return lambda spec: "vmap" if vmap_supports(spec) else otherwise(spec)


def described(device: str) -> dict[str, str]:
    """A GPU for the record of what a run was computed with."""
    import torch

    return {
        "device": device,
        "gpu": torch.cuda.get_device_name(device),
        "cuda": str(torch.version.cuda or torch.version.hip),
    }


def _build() -> str:
    import torch

    if torch.version.cuda is None and torch.version.hip is None:
        return f"torch {torch.__version__} is built for processors alone"
    return (
        f"torch {torch.__version__} is built for CUDA {torch.version.cuda}, but no driver or device answers"
    )
