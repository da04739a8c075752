"""A user's own data, given as arrays or as an `.npz` file."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, cast

from pydantic import Field, PlainValidator, model_validator

from gradlab.component import Component

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Arrays", "Block"]


class Block:
    """An array that is a value: read-only, equal to another by content, named by its hash.

    Attributes:
        values: The numbers: float64 (float32 if they came so), or int64 for class labels.
        digest: The first 20 hexadecimal digits of the SHA-256 of type, shape and content.
    """

    __slots__ = ("digest", "values")

    def __init__(self, values: object) -> None:
        import numpy as np

        if hasattr(values, "detach"):  # a torch tensor, without importing torch to say so
            values = cast(Any, values).detach().cpu().numpy()
        array = np.asarray(values)
        if array.dtype.kind in "biu":
            array = array.astype(np.int64)
        elif array.dtype.kind == "f":
            array = array if array.dtype == np.float32 else array.astype(np.float64)
        else:
            raise ValueError(f"an array of numbers belongs here, not of {array.dtype}")
        if not np.isfinite(array).all():
            raise ValueError("the array holds NaN or infinite values")
        self.values: NDArray[Any] = np.array(array, order="C")
        self.values.setflags(write=False)
        content = hashlib.sha256(f"{array.dtype.kind}{array.shape}".encode())
        # equal numbers have one name, in whatever precision they came
        for part in np.array_split(self.values.reshape(-1), max(1, array.size >> 20)):
            content.update(part.astype("<f8" if array.dtype.kind == "f" else "<i8").tobytes())
        self.digest = content.hexdigest()[:20]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Block) and other.digest == self.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"Block({self.values.dtype}{list(self.values.shape)}, {self.digest})"


def _block(value: object) -> Block:
    if isinstance(value, Block):
        return value
    try:
        return Block(value)
    except (TypeError, ValueError) as error:
        raise ValueError(str(error)) from None


BlockField = Annotated[Block, PlainValidator(_block)]


class Arrays(Component):
    """Learn from arrays: NumPy arrays, torch tensors, nested lists, or an `.npz` file with the same names.

    Integer `y` of one dimension are class labels, anything else is regressed on.

    Attributes:
        path: An `.npz` file that holds x, y and perhaps test_x and test_y; in place of the arrays.
        x: Training inputs `[n, ...]`; one dimension is taken as n inputs of width 1, and an MLP sees further
            dimensions flattened.
        y: Training targets: `[n]` integer labels, or `[n]` or `[n, out]` numbers.
        test_x: Test inputs, with `test_y`.
        test_y: Test targets.
        classes: Number of classes; by default the largest label plus one.

    Example:
        >>> task = Arrays([[0.0, 1.0], [1.0, 0.0]], [1, 0])
        >>> task.inputs, task.outputs, task.default_loss
        (2, 2, 'cross_entropy')
    """

    kind: Literal["arrays"] = "arrays"
    path: str | None = None
    x: BlockField
    y: BlockField
    test_x: BlockField | None = None
    test_y: BlockField | None = None
    classes: Annotated[int, Field(ge=2)] | None = None

    primary: ClassVar[str | None] = "path"

    def __init__(self, x: Any = None, y: Any = None, /, **rest: Any) -> None:
        given = {name: value for name, value in (("x", x), ("y", y)) if value is not None}
        super().__init__(**(given | rest))

    @model_validator(mode="before")
    @classmethod
    def _load(cls, given: Any) -> Any:
        path = given.get("path")
        if not isinstance(path, str) or "x" in given:
            return given
        return given | _arrays_in(Path(path))

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _check_pair("", self.x, self.y)
        if (self.test_x is None) != (self.test_y is None):
            raise ValueError("test_x and test_y go together")
        if self.test_x is not None and self.test_y is not None:
            _check_pair("test_", self.test_x, self.test_y)
            if self.test_x.values.shape[1:] != self.x.values.shape[1:]:
                raise ValueError(f"test_x has examples of shape {self.test_x.values.shape[1:]}, x of "
                                 f"{self.x.values.shape[1:]}")  # fmt: skip
            if self.test_y.values.shape[1:] != self.y.values.shape[1:]:
                raise ValueError("test_y and y differ in shape")
        if not self.classifies:
            if self.classes is not None:
                raise ValueError("classes goes with integer labels of one dimension")
            return self
        for name, labels in (("y", self.y), ("test_y", self.test_y)):
            if labels is not None and (labels.values.min() < 0 or labels.values.max() >= self.outputs):
                raise ValueError(f"the labels in {name} must lie in 0..{self.outputs - 1}")
        return self

    @property
    def classifies(self) -> bool:
        """Whether the targets are class labels."""
        return self.y.values.dtype.kind == "i" and self.y.values.ndim == 1

    @property
    def size(self) -> int:
        """Number of training examples."""
        return int(self.x.values.shape[0])

    @property
    def targets(self) -> str:
        """What is predicted, in words."""
        return "classes" if self.classifies else "real numbers"

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example, as a module sees it; an MLP sees it flat."""
        return self.x.values.shape[1:] or (1,)

    @property
    def inputs(self) -> int:
        """Width of the network's input: numbers in one example."""
        return int(self.x.values[0].size)

    @property
    def outputs(self) -> int:
        """Width of the network's output."""
        if self.classifies:
            return self.classes or max(2, int(self.y.values.max()) + 1)
        return int(self.y.values[0].size)

    @property
    def default_loss(self) -> Literal["mse", "cross_entropy"]:
        """The loss where a study names none."""
        return "cross_entropy" if self.classifies else "mse"

    @property
    def losses(self) -> tuple[str, ...]:
        """The losses that this task's targets allow."""
        return (self.default_loss,)

    @property
    def metrics(self) -> tuple[str, ...]:
        """What can be measured on this task besides its loss."""
        return ("accuracy",) if self.classifies else ("tolerance_accuracy",)

    @property
    def has_test(self) -> bool:
        """Whether there is a test set."""
        return self.test_x is not None

    @property
    def draws(self) -> frozenset[str]:
        """The purposes for which the data draw random numbers."""
        return frozenset()

    def outline(self) -> Arrays:
        """A task of one example with the same sizes, for those who have the data already."""
        classes = {"classes": self.outputs} if self.classifies else {}
        return Arrays(self.x.values[:1], self.y.values[:1] * 0, **classes)

    @classmethod
    def from_dataset(cls, train: Any, test: Any = None, *, classes: int | None = None) -> Arrays:
        """A task from map-style datasets or loaders, read once from the first example to the last.

        Args:
            train: A dataset of (input, target) pairs, or a `torch.utils.data.DataLoader`, of which the dataset is
                taken: batches and order are the study's own.
            test: The same for the test set.
            classes: Number of classes; by default the largest label plus one.

        Returns:
            The task, with its data in memory.

        Raises:
            TypeError: Something is not map-style: it has no length or no index.
            ValueError: It is empty, an item is not a pair of numbers, or an item differs in shape from the first.
        """
        x, y = _pairs(train)
        given: dict[str, Any] = {"x": x, "y": y, "classes": classes}
        if test is not None:
            given["test_x"], given["test_y"] = _pairs(test)
        return cls(**given)

    def tree(self) -> dict[str, Any]:
        """The declaration as plain data: the file if it came from one, and each array's shape and hash."""
        tree = {name: getattr(self, name) for name in ("path", "x", "y", "test_x", "test_y", "classes")}
        plain = {name: str(value) if isinstance(value, Block) else value for name, value in tree.items()}
        return {"kind": self.kind} | {name: value for name, value in plain.items() if value is not None}

    def canonical(self) -> dict[str, Any]:
        """The tree that identity hashes: content, wherever it came from."""
        blocks = {name: getattr(self, name) for name in ("x", "y", "test_x", "test_y")}
        tree: dict[str, Any] = {"kind": self.kind}
        tree |= {name: block.digest for name, block in blocks.items() if block is not None}
        return tree | ({"outputs": self.outputs} if self.classifies else {})


def _arrays_in(path: Path) -> dict[str, Any]:
    import numpy as np

    names = ("x", "y", "test_x", "test_y")
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in names if name in file}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"cannot read {path} as an .npz file: {error}") from None
    missing = [name for name in names[:2] if name not in found]
    if missing:
        raise ValueError(f"{path} holds no {' and no '.join(missing)}")
    return found


def _pairs(dataset: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Every input and every target of a map-style dataset, each in one array that is filled as they come."""
    source = dataset if hasattr(dataset, "__getitem__") else getattr(dataset, "dataset", None)
    if source is None or not hasattr(source, "__getitem__") or not hasattr(source, "__len__"):
        raise TypeError(
            f"a {type(dataset).__name__} is not a map-style dataset: it needs a length and an index"
        )
    if not len(source):
        raise ValueError("the dataset is empty")
    arrays: list[NDArray[Any]] = []
    for index in range(len(source)):
        try:
            pair = tuple(source[index])
        except TypeError:
            pair = ()
        if len(pair) != 2:
            raise ValueError(f"the dataset gives no (input, target) pair at index {index}")
        for place, name in enumerate(("input", "target")):
            value = _numbers(pair[place], f"the {name} at index {index}")
            if not index:
                arrays.append(_room(len(source), value))
            known = arrays[place]
            if value.shape != known.shape[1:]:
                raise ValueError(
                    f"the {name} at index {index} has the shape {value.shape}, that at index 0 {known.shape[1:]}"
                )
            if known.dtype.kind == "i" and value.dtype.kind == "f":
                raise ValueError(f"the {name} at index {index} is {value}, that at index 0 a whole number")
            known[index] = value
    return arrays[0], arrays[1]


def _numbers(value: Any, where: str) -> NDArray[Any]:
    import numpy as np

    if hasattr(value, "getbands"):  # an image of Pillow, without importing it to say so
        raise ValueError(
            f"{where} is a picture, not numbers: give the dataset a transform such as ToTensor()"
        )
    try:
        array = np.asarray(value.detach().cpu().numpy() if hasattr(value, "detach") else value)
    except (TypeError, ValueError):
        array = np.asarray(None)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{where} is a {type(value).__name__}, not numbers")
    return array


def _room(count: int, value: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    return np.empty((count, *value.shape), value.dtype if value.dtype.kind == "f" else np.int64)


def _check_pair(prefix: str, x: Block, y: Block) -> None:
    if x.values.ndim == 0 or y.values.ndim == 0 or not x.values.size or not y.values.size:
        raise ValueError(f"{prefix}x and {prefix}y need at least one example")
    if x.values.shape[0] != y.values.shape[0]:
        raise ValueError(f"{prefix}x has {x.values.shape[0]} examples, {prefix}y has {y.values.shape[0]}")
