"""The published image sets: their files, the hashes of their contents, and where they are served."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from gradlab.task.images import CIFAR10, CIFAR100, MNIST, FashionMNIST

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PUBLISHED", "Download", "Published"]

SORTED: Final = "sorted:"
"""Before the SHA-256 of a file's records in sorted order, where the order of the images does not matter."""


@dataclass(frozen=True)
class Download:
    """One file as it is served.

    Attributes:
        name: Its name, appended to an address.
        sha256: Of the file as served; of its content once decompressed, if `unpacked`. As published.
        size: Bytes as served.
        unpacked: Whether the file is decompressed and only its content kept and hashed, so that a mirror may have
            compressed it in its own way.
    """

    name: str
    sha256: str
    size: int
    unpacked: bool = False


@dataclass(frozen=True)
class Published:
    """One image set.

    Attributes:
        name: The kind of its task.
        title: Its name for people.
        form: "idx" (MNIST's format) or "cifar".
        shape: Shape of an image: channels, height, width.
        train_counts: Training images of each class.
        test_counts: Test images of each class.
        folders: Where its files lie under a data folder, the usual place first; for CIFAR the folders of the
            binary and of the Python version.
        train: Files of the training set; images and labels for idx, batches for CIFAR.
        test: Files of the test set.
        digests: SHA-256 of a file's content, by name; several where several are right. Files without one are
            checked by their structure and by how many images each class has.
        label_bytes: Labels before each image in the binary version; the last one counts.
        label_key: What the labels are called in the Python version.
        addresses: Where the files are served, the first tried first.
        downloads: What is fetched: for idx the four files, for CIFAR the archive of the binary version.
    """

    name: str
    title: str
    form: Literal["idx", "cifar"]
    shape: tuple[int, int, int]
    train_counts: tuple[int, ...]
    test_counts: tuple[int, ...]
    folders: tuple[str, ...]
    train: tuple[str, ...]
    test: tuple[str, ...]
    digests: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    label_bytes: int = 1
    label_key: str = "labels"
    addresses: tuple[str, ...] = ()
    downloads: tuple[Download, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """The files of both sets."""
        return self.train + self.test


_IDX_TRAIN: Final = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
_IDX_TEST: Final = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")

_MNIST: Final = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}

_CIFAR10: Final = {
    "data_batch_1": ("cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",),
    "data_batch_2": ("a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",),
    "data_batch_3": ("bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",),
    "data_batch_4": ("014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",),
    "data_batch_5": ("755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",),
    # as published, or the same images in another order, which no measurement depends on
    "test_batch": (
        "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
        SORTED + "f1bbb931260cda782c84c1948c82d910e2c193cb1d56756293f445027090946b",
    ),
}

PUBLISHED: Final[dict[str, Published]] = {
    "mnist": Published(
        name="mnist",
        title="MNIST",
        form="idx",
        shape=(1, 28, 28),
        train_counts=MNIST.holds.train,
        test_counts=MNIST.holds.test,
        folders=("MNIST/raw", "mnist/raw", "MNIST", "mnist"),
        train=_IDX_TRAIN,
        test=_IDX_TEST,
        digests={name: (digest,) for name, digest in _MNIST.items()},
        addresses=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        downloads=tuple(
            Download(f"{name}.gz", _MNIST[name], size, unpacked=True)
            for name, size in zip(_IDX_TRAIN + _IDX_TEST, (9_912_422, 28_881, 1_648_877, 4_542), strict=True)
        ),
    ),
    "fashion_mnist": Published(
        name="fashion_mnist",
        title="Fashion-MNIST",
        form="idx",
        shape=(1, 28, 28),
        train_counts=FashionMNIST.holds.train,
        test_counts=FashionMNIST.holds.test,
        folders=("FashionMNIST/raw", "fashion-mnist", "fashion_mnist", "FashionMNIST"),
        train=_IDX_TRAIN,
        test=_IDX_TEST,
        addresses=("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
        downloads=(
            Download(
                "train-images-idx3-ubyte.gz",
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                26_421_880,
            ),
            Download(
                "train-labels-idx1-ubyte.gz",
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                29_515,
            ),
            Download(
                "t10k-images-idx3-ubyte.gz",
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                4_422_102,
            ),
            Download(
                "t10k-labels-idx1-ubyte.gz",
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
                5_148,
            ),
        ),
    ),
    "cifar10": Published(
        name="cifar10",
        title="CIFAR-10",
        form="cifar",
        shape=(3, 32, 32),
        train_counts=CIFAR10.holds.train,
        test_counts=CIFAR10.holds.test,
        folders=("cifar-10-batches-bin", "cifar-10-batches-py"),
        train=tuple(f"data_batch_{number}" for number in range(1, 6)),
        test=("test_batch",),
        digests=_CIFAR10,
        addresses=("https://www.cs.toronto.edu/~kriz/",),
        downloads=(
            Download(
                "cifar-10-binary.tar.gz",
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                170_052_171,
            ),
        ),
    ),
    "cifar100": Published(
        name="cifar100",
        title="CIFAR-100",
        form="cifar",
        shape=(3, 32, 32),
        train_counts=CIFAR100.holds.train,
        test_counts=CIFAR100.holds.test,
        folders=("cifar-100-binary", "cifar-100-python"),
        train=("train",),
        test=("test",),
        digests={
            "train": ("f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29",),
            "test": ("d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a",),
        },
        label_bytes=2,
        label_key="fine_labels",
        addresses=("https://www.cs.toronto.edu/~kriz/",),
        downloads=(
            Download(
                "cifar-100-binary.tar.gz",
                "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
                168_513_733,
            ),
        ),
    ),
}
"""Every published image set by the kind of its task."""
