"""Image classification on the published data sets, as declarations; `readers` read them and `data` builds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from gradlab.component import Component, Vary, one_of
from gradlab.task.corruption import Corruption

__all__ = ["CIFAR10", "CIFAR100", "MNIST", "CropFlip", "FashionMNIST", "ImageTask", "Stock"]

Count = Annotated[int, Field(ge=1)]


class CropFlip(Component):
    """Augmentation anew in every epoch: a random crop after padding, and a flip in half of the cases.

    Attributes:
        padding: Pixels added on each side before a crop of the original size; 0 for no crop.
        mode: "reflect" mirrors the image at its border pixels, which are not repeated; "zeros" adds what is zero
            for the network: black without normalisation, the mean colour with it.
        flip: Whether to mirror left and right with probability 1/2.
    """

    kind: Literal["crop_flip"] = "crop_flip"
    padding: Annotated[int, Field(ge=0, le=60)] = 4
    mode: Literal["reflect", "zeros"] = "reflect"
    flip: bool = True


@dataclass(frozen=True)
class Stock:
    """What an image set holds.

    Attributes:
        channels: 1 for grey images, 3 for colour.
        side: Height and width in pixels.
        train: Training images of each class.
        test: Test images of each class; all 0 where there is no test set.
    """

    channels: int
    side: int
    train: tuple[int, ...]
    test: tuple[int, ...]


class ImageTask(Component):
    """What all image sets have in common.

    Attributes:
        mean: Subtracted from each channel, whose pixels lie in [0, 1]; with `std`. Empty for plain pixels.
        std: Divides each channel.
        resize: Side in pixels after bilinear resizing, rounded to whole grey levels as Pillow does.
        classes: Only these, in this order as classes 0, 1, ...
        train: The first so many training images in the published order, after `classes`.
        test: The first so many test images, likewise.
        corruption: How labels or inputs are spoilt.
        augment: How training images are varied from epoch to epoch.
    """

    mean: tuple[Annotated[float, Field(ge=-1e3, le=1e3)], ...] = ()
    std: tuple[Annotated[float, Field(ge=1e-3, le=1e3)], ...] = ()
    resize: Annotated[int, Field(ge=1, le=1024)] | None = None
    classes: tuple[Annotated[int, Field(ge=0)], ...] = ()
    train: Count | None = None
    test: Count | None = None
    corruption: Corruption | None = None
    augment: Annotated[CropFlip, one_of(CropFlip)] | None = None

    holds: ClassVar[Stock]

    @property
    def stock(self) -> Stock:
        """What the image set holds."""
        return self.holds

    @field_validator("classes")
    @classmethod
    def _distinct_classes(cls, classes: Any) -> Any:
        if isinstance(classes, Vary) or not classes:
            return classes
        if len(set(classes)) < len(classes):
            raise ValueError("names a class twice")
        if len(classes) < 2:
            raise ValueError("needs at least two classes to tell apart")
        return classes

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if any(isinstance(getattr(self, name), Vary) for name in type(self).model_fields):
            return self  # each level comes through here again once it is chosen
        stock = self.stock
        for name in ("mean", "std"):
            values: tuple[float, ...] = getattr(self, name)
            if len(values) not in {0, stock.channels}:
                channels = "1 channel" if stock.channels == 1 else f"{stock.channels} channels"
                raise ValueError(f"{name} has {len(values)} values; the images have {channels}")
        if len(self.mean) != len(self.std):
            raise ValueError("mean and std go together")
        known = len(stock.train)
        if self.classes and max(self.classes) >= known:
            raise ValueError(f"classes names {max(self.classes)}; the classes are 0 to {known - 1}")
        for name, counts in (("train", stock.train), ("test", stock.test)):
            wanted: int | None = getattr(self, name)
            if wanted is not None and wanted > self._chosen(counts):
                raise ValueError(
                    f"{name} = {wanted} is more than the {self._chosen(counts)} images there are"
                )
        augment = self.augment
        if augment is None or augment.mode != "reflect" or isinstance(augment.padding, Vary):
            return self
        if augment.padding >= self.pixels:
            raise ValueError(
                f"augment.padding = {augment.padding} cannot be reflected in {self.pixels} pixels; "
                f"at most {self.pixels - 1}"
            )
        return self

    def _chosen(self, counts: tuple[int, ...]) -> int:
        return sum(counts[label] for label in self.classes) if self.classes else sum(counts)

    @property
    def pixels(self) -> int:
        """Side of an image as the network sees it."""
        return self.resize or self.stock.side

    @property
    def size(self) -> int:
        """Number of training examples."""
        return self.train or self._chosen(self.stock.train)

    @property
    def test_size(self) -> int:
        """Number of test examples."""
        return self.test or self._chosen(self.stock.test)

    @property
    def targets(self) -> str:
        """What is predicted, in words."""
        return "classes"

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example, channels first, as a CNN or a module sees it; an MLP sees it flat."""
        return (self.stock.channels, self.pixels, self.pixels)

    @property
    def inputs(self) -> int:
        """Numbers in one example."""
        return self.stock.channels * self.pixels**2

    @property
    def outputs(self) -> int:
        """Number of classes."""
        return len(self.classes or self.stock.train)

    @property
    def default_loss(self) -> Literal["mse", "cross_entropy"]:
        """The loss where a study names none."""
        return "cross_entropy"

    @property
    def losses(self) -> tuple[str, ...]:
        """The losses that this task's targets allow."""
        return ("cross_entropy",)

    @property
    def metrics(self) -> tuple[str, ...]:
        """What can be measured on this task besides its loss."""
        return ("accuracy",)

    @property
    def has_test(self) -> bool:
        """Whether there is a test set."""
        return self.test_size > 0

    @property
    def draws(self) -> frozenset[str]:
        """The purposes for which the data draw random numbers."""
        own = self.corruption.draws if self.corruption is not None else frozenset[str]()
        return own | ({"order"} if self.augment is not None else frozenset())

    def canonical(self) -> dict[str, Any]:
        """The tree that identity hashes; what changes nothing is left out of it."""
        tree = super().canonical()
        if isinstance(self.train, int) and self.train == self._chosen(self.stock.train):
            del tree["train"]
        if isinstance(self.test, int) and self.test == self._chosen(self.stock.test):
            del tree["test"]
        if self.corruption is not None and not self.corruption.draws:
            del tree["corruption"]
        return tree


class MNIST(ImageTask):
    """Classify handwritten digits: 60,000 training and 10,000 test images, 28 x 28 grey pixels (LeCun et al. 1998).

    Attributes:
        mean: Subtracted from the pixels, which lie in [0, 1]; (0.1307,) is the training set's own.
        std: Divides them; (0.3081,) is the training set's own.
        resize: Side in pixels after bilinear resizing, such as 32, rounded to whole grey levels as Pillow does.
        classes: Only these, in this order as classes 0, 1, ...
        train: The first so many training images in the published order, after `classes`.
        test: The first so many test images, likewise.
        corruption: How labels or inputs are spoilt.
        augment: How training images are varied from epoch to epoch.

    Example:
        >>> task = MNIST(mean=(0.1307,), std=(0.3081,), resize=32)
        >>> task.shape, task.size, task.outputs
        ((1, 32, 32), 60000, 10)
        >>> MNIST(classes=(3, 8)).size
        11982
    """

    kind: Literal["mnist"] = "mnist"

    holds: ClassVar[Stock] = Stock(
        1,
        28,
        (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949),
        (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009),
    )


class FashionMNIST(ImageTask):
    """Classify articles of clothing, in the format and the numbers of MNIST (Xiao, Rasul and Vollgraf 2017).

    Attributes:
        mean: Subtracted from the pixels, which lie in [0, 1].
        std: Divides them.
        resize: Side in pixels after bilinear resizing, rounded to whole grey levels as Pillow does.
        classes: Only these, in this order as classes 0, 1, ...
        train: The first so many training images in the published order, after `classes`.
        test: The first so many test images, likewise.
        corruption: How labels or inputs are spoilt.
        augment: How training images are varied from epoch to epoch.
    """

    kind: Literal["fashion_mnist"] = "fashion_mnist"

    holds: ClassVar[Stock] = Stock(1, 28, (6000,) * 10, (1000,) * 10)


class CIFAR10(ImageTask):
    """Classify photographs: 50,000 training and 10,000 test images, 32 x 32 in colour (Krizhevsky 2009).

    Attributes:
        mean: Subtracted from each channel (red, green, blue), whose pixels lie in [0, 1].
        std: Divides each channel.
        resize: Side in pixels after bilinear resizing, rounded to whole levels as Pillow does.
        classes: Only these, in this order as classes 0, 1, ...
        train: The first so many training images in the published order, after `classes`.
        test: The first so many test images, likewise.
        corruption: How labels or inputs are spoilt.
        augment: How training images are varied from epoch to epoch.

    Example:
        >>> CIFAR10(augment=CropFlip(padding=4)).shape
        (3, 32, 32)
    """

    kind: Literal["cifar10"] = "cifar10"

    holds: ClassVar[Stock] = Stock(3, 32, (5000,) * 10, (1000,) * 10)


class CIFAR100(ImageTask):
    """Classify photographs in 100 fine classes, otherwise as CIFAR-10 (Krizhevsky 2009).

    Attributes:
        mean: Subtracted from each channel (red, green, blue), whose pixels lie in [0, 1].
        std: Divides each channel.
        resize: Side in pixels after bilinear resizing, rounded to whole levels as Pillow does.
        classes: Only these, in this order as classes 0, 1, ...
        train: The first so many training images in the published order, after `classes`.
        test: The first so many test images, likewise.
        corruption: How labels or inputs are spoilt.
        augment: How training images are varied from epoch to epoch.
    """

    kind: Literal["cifar100"] = "cifar100"

    holds: ClassVar[Stock] = Stock(3, 32, (500,) * 100, (100,) * 100)
