"""The state of networks between epochs as safetensors: weights, optimizer slots and counters, no pickle.

One file holds the states of all members of a fleet at one slice. An array that all members have in one shape
is stored once, stacked along a first axis; any other is stored by member.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import save

from gradlab.errors import StoreError
from gradlab.store.codec import plain, unplain

if TYPE_CHECKING:
    from gradlab.train.state import State

__all__ = ["hash_of", "pack", "unpack"]

Array = NDArray[Any]


def hash_of(state: State) -> str:
    """SHA-256 of the weights that are the run's result: type, last and best weights, buffers."""
    digest = hashlib.sha256(state.weights.dtype.str.encode())
    digest.update(state.weights.tobytes())
    if state.best is not None:
        digest.update(f"|best {state.best[1]}|".encode())
        digest.update(state.best[2].tobytes())
    for name in sorted(state.buffers):
        digest.update(f"|{name} {state.buffers[name].dtype.str}|".encode())
        digest.update(state.buffers[name].tobytes())
    return digest.hexdigest()


def pack(states: Sequence[State]) -> bytes:
    """The states of a fleet as one safetensors file.

    Args:
        states: One state a member.

    Returns:
        The contents of the file.
    """
    found = [_arrays(state) for state in states]
    tensors: dict[str, Array] = {}
    for name in sorted({name for arrays in found for name in arrays}):
        columns = [arrays.get(name) for arrays in found]
        have = [column for column in columns if column is not None]
        if len(have) == len(columns) and len({(column.shape, column.dtype) for column in have}) == 1:
            tensors[f"all/{name}"] = np.stack(have)
        else:
            tensors |= {f"{i}/{name}": np.array(c, order="C") for i, c in enumerate(columns) if c is not None}
    members = json.dumps([_scalars(state) for state in states], allow_nan=False)
    return save(tensors, metadata={"format": "gradlab-states-1", "members": members})


def unpack(data: bytes, members: Sequence[int]) -> list[State]:
    """Some members of a file that `pack` made.

    Args:
        data: The contents of the file.
        members: Indices of the wanted members.

    Returns:
        Their states, in the order of `members`; arrays are copies that the caller owns.

    Raises:
        StoreError: This is not such a file, or a member is not in it.
    """
    try:
        tensors, scalars = _read(data)
        return [_state(tensors, scalars[member], member) for member in members]
    except (SafetensorError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise StoreError(f"a checkpoint cannot be read ({type(error).__name__}: {error})") from error


def _read(data: bytes) -> tuple[dict[str, Array], list[dict[str, Any]]]:
    from safetensors.numpy import load

    length = int.from_bytes(data[:8], "little")
    tensors = load(data)  # checks the header against the data before anything of it is used
    header = json.loads(data[8 : 8 + length])
    metadata = header["__metadata__"]
    if metadata["format"] != "gradlab-states-1":
        raise ValueError(f"format {metadata['format']!r}")
    return tensors, json.loads(metadata["members"])


def _arrays(state: State) -> dict[str, Array]:
    arrays = {"weights": state.weights, "recent": np.asarray(state.recent, np.float64)}
    arrays |= {f"slot.{name}": array for name, array in state.slots.items()}
    arrays |= {f"buffer.{name}": array for name, array in state.buffers.items()}
    if state.best is not None:
        arrays["best"] = state.best[2]
    return arrays


def _scalars(state: State) -> dict[str, Any]:
    return {
        "epoch": int(state.epoch),
        "updates": int(state.updates),
        "status": state.status,
        "status_epoch": None if state.status_epoch is None else int(state.status_epoch),
        "best": None if state.best is None else [plain(float(state.best[0])), int(state.best[1])],
        "passages": [[plain(float(threshold)), int(epoch)] for threshold, epoch in state.passages.items()],
    }


def _state(tensors: Mapping[str, Array], scalars: Mapping[str, Any], member: int) -> State:
    from gradlab.train.state import State

    own: dict[str, Array] = {}
    for key, tensor in tensors.items():
        owner, _, name = key.partition("/")
        if owner == "all":
            own[name] = np.array(tensor[member])  # an array also where that is a single number
        elif owner == str(member):
            own[name] = tensor.copy()
    best = cast("list[Any] | None", scalars["best"])
    return State(
        epoch=scalars["epoch"],
        updates=scalars["updates"],
        weights=own["weights"],
        slots=_under("slot.", own),
        buffers=_under("buffer.", own),
        status=scalars["status"],
        status_epoch=scalars["status_epoch"],
        best=None if best is None else (unplain(best[0]), best[1], own["best"]),
        passages={unplain(threshold): epoch for threshold, epoch in scalars["passages"]},
        recent=own["recent"],
    )


def _under(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
