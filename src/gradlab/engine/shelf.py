"""The shelf: large arrays of data as files that all workers map, so that a machine holds each of them once.

What is handed to a worker names the files; the numbers themselves stay in the page cache of the system. The
shelf is a cache in the lab folder, and whatever is wrong with it is mended by writing it anew.
"""

from __future__ import annotations

import weakref
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from gradlab.errors import StoreError
from gradlab.store.files import disk_problem, remove, write_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gradlab.task.data import Data
    from gradlab.train.fleet import Fleet

__all__ = ["LEAST_BYTES", "Lost", "Shelf", "Shelved", "fetched", "fetched_data"]

LEAST_BYTES = 1_000_000
"""Smaller arrays travel with the fleet."""

_CHUNK = 1 << 20
"""Numbers that are compared at once."""


class Lost(Exception):
    """A file of the shelf is not there, or not what was put there."""


@dataclass(frozen=True)
class Shelved:
    """Where an array lies.

    Attributes:
        path: The `.npy` file.
        shape: Its shape.
        dtype: Its type, as NumPy spells it.
    """

    path: str
    shape: tuple[int, ...]
    dtype: str


class Shelf:
    """A folder of arrays, each written once, however many data sets hold it.

    The folder belongs to the one writer of a lab.

    Args:
        folder: Where the files lie; made when the first array comes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[int, tuple[weakref.ref[Any], Shelved]] = {}
        self._used: set[Path] = set()

    def put(self, data: Data) -> Data:
        """Data with files in place of its large arrays.

        Args:
            data: The data of some runs.

        Returns:
            What `fetched` turns into equal data, in this process or another.

        Raises:
            StoreError: A file cannot be written.
        """
        large = {
            name: cast(Any, self._place(value))
            for name, value in vars(data).items()
            if isinstance(value, np.ndarray) and value.nbytes >= LEAST_BYTES
        }
        return replace(data, **large) if large else data

    def mend(self) -> None:
        """Forget what was put here, so that it is compared with its file, or written, when it comes again."""
        self._known.clear()
        self._used.clear()

    def sweep(self, *, all_of_them: bool = False) -> None:
        """Delete files that were not put here since the shelf was made, or all."""
        if not self.folder.is_dir():
            return
        for path in sorted(self.folder.iterdir()):
            if all_of_them or path not in self._used:
                remove(path)
        if all_of_them:
            self.mend()

    def _place(self, array: NDArray[Any]) -> Shelved:
        """Where an array lies; one object is looked at once."""
        known = self._known.get(id(array))
        if known is not None and known[0]() is array:
            return known[1]
        content = np.ascontiguousarray(array)
        path = self._file(content)
        place = Shelved(str(path.absolute()), content.shape, content.dtype.str)
        self._used.add(path)
        self._known[id(array)] = (weakref.ref(array), place)
        return place

    def _file(self, content: NDArray[Any]) -> Path:
        """The file of an array, written if it is not there; a checksum names it, and equal bytes make it sure."""
        shape = "x".join(map(str, content.shape))
        name = f"{content.dtype.str[1:]}-{shape}-{zlib.crc32(content.data.cast('B')):08x}"
        for number in range(1_000):
            path = self.folder / (f"{name}.npy" if number == 0 else f"{name}-{number}.npy")
            if _holds(path, content):
                return path
            if path not in self._used:  # nothing that is in use: what lies there is damaged, or nothing does
                try:
                    self.folder.mkdir(exist_ok=True)
                except OSError as error:
                    raise disk_problem(error, self.folder.parent) from error
                write_array(self.folder, path.name, content)
                return path
        raise StoreError(f"{self.folder} holds a thousand arrays with one checksum: delete it")


def fetched(fleet: Fleet) -> Fleet:
    """A fleet with the arrays that its data name, mapped from their files and kept for the next slices.

    The arrays may be written to; what is written stays in this process.

    Args:
        fleet: A fleet as the coordinator handed it out.

    Returns:
        The fleet; the same object if there is nothing to fetch.

    Raises:
        Lost: A file is missing or damaged.
    """
    data = tuple(fetched_data(own) for own in fleet.data)
    if all(own is other for own, other in zip(data, fleet.data, strict=True)):
        return fleet
    return replace(fleet, data=data)


def fetched_data(data: Data) -> Data:
    """Data with the arrays that they name, mapped from their files; the same object if they name none.

    Args:
        data: As `Shelf.put` gave them.

    Returns:
        The data.

    Raises:
        Lost: A file is missing or damaged.
    """
    places = {name: value for name, value in vars(data).items() if isinstance(value, Shelved)}
    return replace(data, **{name: _mapped(place) for name, place in places.items()}) if places else data


_held: dict[Shelved, NDArray[Any]] = {}
"""What this process has mapped: equal files give the same array, whatever fleet names them."""


def _mapped(place: Shelved) -> NDArray[Any]:
    if place not in _held:
        try:
            found = np.load(place.path, mmap_mode="c", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise Lost(f"{place.path}: {error}") from error
        if (found.shape, found.dtype.str) != (place.shape, place.dtype):
            raise Lost(f"{place.path} holds another array")
        _held[place] = np.asarray(found)
    return _held[place]


def _holds(path: Path, content: NDArray[Any]) -> bool:
    """Whether a file holds exactly this array."""
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return False
    if (found.shape, found.dtype) != (content.shape, content.dtype):
        return False
    one, two = (array.reshape(-1).view(np.uint8) for array in (np.asarray(found), content))
    step = _CHUNK * content.itemsize
    return all(np.array_equal(one[at : at + step], two[at : at + step]) for at in range(0, one.size, step))
