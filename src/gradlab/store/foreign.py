"""Weights that other programs wrote: safetensors and PyTorch files, read without running anything in them."""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import json
import pickle
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from gradlab.errors import WeightsError

if TYPE_CHECKING:
    import torch

__all__ = ["ForeignWeights", "as_weights", "read_weights", "write_weights"]

USUAL = ("state_dict", "model_state_dict", "model", "net", "network", "module", "weights", "params", "ema")
"""Keys under which training scripts keep the weights in a checkpoint; of several, the first counts."""

_HEADER_LIMIT = 100_000_000
"""Bytes in the header of a safetensors file; the format allows no more."""


@dataclass(frozen=True)
class ForeignWeights:
    """Named arrays as a file holds them.

    Attributes:
        tensors: `torch.Tensor`s by name, in the order of the file.
        origin: What they were read from, in a few words.
        ordered: Whether that order is the one in which they were saved; safetensors sorts by name.
        notes: What was found or passed over on the way.
    """

    tensors: Mapping[str, torch.Tensor]
    origin: str
    ordered: bool
    notes: tuple[str, ...] = ()


def read_weights(path: str | Path) -> ForeignWeights:
    """Read a file of weights.

    A PyTorch file is a pickle, which can name any function to be called while it is read. It is unpickled by
    `torch.load(weights_only=True)`, which knows arrays and plain containers only.

    Args:
        path: A `.safetensors` file, or one that `torch.save` wrote, in its old or new format: a state dict, a list
            of arrays, or a checkpoint that holds a state dict under any key. Content decides, not the name.

    Returns:
        The arrays.

    Raises:
        WeightsError: The file is missing, damaged, no weights at all, or would run code.
    """
    path = Path(path)
    try:
        with path.open("rb") as stream:
            head = stream.read(16)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}") from None
    if not head:
        raise WeightsError(f"{path} is empty")
    if _is_safetensors(head):
        return _safetensors(path)
    return as_weights(_unpickled(path), f"{path}")


def as_weights(found: object, origin: str) -> ForeignWeights:
    """The arrays in what a PyTorch file held.

    Args:
        found: A state dict, a list of arrays, or a checkpoint around one.
        origin: What to call it in messages.

    Returns:
        The arrays, with a note on where they were.

    Raises:
        WeightsError: There are none.
    """
    notes: list[str] = []
    named = _named(found)
    if not named and isinstance(found, Mapping):
        table = cast("Mapping[Any, object]", found)
        inside = {str(key): value for key, value in table.items() if _named(value)}
        if not inside:
            keys = ", ".join(map(str, table)) or "nothing"
            raise WeightsError(f"{origin} holds no weights: none of its entries ({keys}) is a state dict")
        usual = [key for key in USUAL if key in inside]
        if not usual and len(inside) > 1:
            raise WeightsError(
                f"{origin} holds several sets of weights ({', '.join(inside)}) and none under a usual name; save "
                "the one you mean by itself"
            )
        chosen = usual[0] if usual else next(iter(inside))
        rest = [str(key) for key in table if str(key) != chosen]
        besides = f"; it also holds {', '.join(rest)}" if rest else ""
        notes.append(f"a checkpoint: the weights are its entry {chosen!r}{besides}")
        found, named = inside[chosen], _named(inside[chosen])
    if not named:
        raise WeightsError(f"{origin} holds a {type(found).__name__}, not weights by name")
    left = [str(key) for key in found if str(key) not in named] if isinstance(found, Mapping) else []
    if left:
        notes.append(f"entries that are no arrays were passed over: {', '.join(left)}")
    for name, tensor in named.items():
        if str(tensor.layout) != "torch.strided" or tensor.is_quantized:
            raise WeightsError(f"{origin}: {name} is sparse or quantised, not a plain array")
        if tensor.is_complex():
            raise WeightsError(
                f"{origin}: {name} holds complex numbers, which would lose their imaginary part"
            )
        if tensor.is_meta:
            raise WeightsError(
                f"{origin}: {name} has a shape and no numbers: it was saved from the meta device"
            )
    return ForeignWeights(named, origin, ordered=True, notes=tuple(notes))


def _named(found: object) -> dict[str, torch.Tensor]:
    """The arrays of a state dict by name, or of a list by index; none if it is neither."""
    import torch

    if isinstance(found, list | tuple):
        items = cast("list[object]", found)
        if items and all(isinstance(item, torch.Tensor) for item in items):
            return {str(index): cast("torch.Tensor", item) for index, item in enumerate(items)}
        return {}
    if not isinstance(found, Mapping):
        return {}
    table = cast("Mapping[object, object]", found)
    return {
        key: item for key, item in table.items() if isinstance(key, str) and isinstance(item, torch.Tensor)
    }


def _is_safetensors(head: bytes) -> bool:
    return len(head) > 8 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= _HEADER_LIMIT


def _safetensors(path: Path) -> ForeignWeights:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            metadata: dict[str, str] = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{path} is damaged, or no safetensors file after all: {error}") from None
    if metadata.get("format", "").startswith("gradlab-states"):
        raise WeightsError(
            f"{path} is a checkpoint of a lab, which holds several runs with their optimizers; "
            "`gradlab weights RUN` writes one run's weights by name"
        )
    if not tensors:
        raise WeightsError(f"{path} holds no arrays")
    return ForeignWeights(tensors, str(path), ordered=False)


def _unpickled(path: Path) -> object:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about old formats, which nobody can mend here
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise WeightsError(_refusal(path, str(error))) from None
        except Exception as error:  # a damaged file can break any part of the reader
            raise WeightsError(_broken(path, error)) from None


def _refusal(path: Path, told: str) -> str:
    """Why the restricted reader stopped: a global that it does not know, or no pickle of weights at all."""
    named = re.search(r"GLOBAL ([\w.]+)", told)
    if named is None:
        return f"{path} is not a file of weights: neither safetensors nor what torch.save writes"
    return (
        f"{path} holds more than weights: to read it would run {named[1]}, named in the file, so it was not read. "
        "If you trust where it comes from, load it in Python and save only its weights: "
        "torch.save(network.state_dict(), 'weights.pt')"
    )


def _broken(path: Path, error: Exception) -> str:
    told = " ".join(str(error).split())
    if "TorchScript" in told:
        return (
            f"{path} is a TorchScript archive, which is a program; save its weights: "
            "torch.save(torch.jit.load(file).state_dict(), 'weights.pt')"
        )
    return f"{path} is damaged or cut short, or no file of weights ({type(error).__name__}: {told[:120]})"


def write_weights(tensors: Mapping[str, Any], path: Path, about: Mapping[str, Any]) -> None:
    """Write named arrays for other programs.

    Args:
        tensors: NumPy arrays by name, in the order of the network.
        path: `.safetensors`, or `.pt` or `.pth` for `torch.load`. A file that is there is replaced.
        about: JSON-ready facts, which a safetensors file keeps in its metadata.

    Raises:
        WeightsError: The name has another ending, or the file cannot be written.
    """
    temporary = path.with_name(path.name + ".part")
    try:
        if path.suffix == ".safetensors":
            from safetensors.numpy import save

            metadata = {"format": "pt", "gradlab": json.dumps(about, allow_nan=False)}
            temporary.write_bytes(save(dict(tensors), metadata=metadata))
        elif path.suffix in {".pt", ".pth"}:
            import torch

            torch.save({name: torch.from_numpy(array) for name, array in tensors.items()}, temporary)
        else:
            raise WeightsError(f"{path}: write weights to a file that ends in .safetensors, .pt or .pth")
        temporary.replace(path)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as a RuntimeError
        temporary.unlink(missing_ok=True)
        raise WeightsError(f"{path} cannot be written: {error}") from None
