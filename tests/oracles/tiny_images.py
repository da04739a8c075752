"""Made-up image sets in the formats of the published ones, small enough to write in a test."""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import struct
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from gradlab.task.images import ImageTask, Stock
from gradlab.task.readers.published import Download, Published

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)

GREY = Published(
    name="tiny",
    title="Tiny",
    form="idx",
    shape=(1, 4, 4),
    train_counts=(3, 2, 3),
    test_counts=(1, 2, 1),
    folders=("Tiny/raw",),
    train=FILES[:2],
    test=FILES[2:],
)

COLOUR = Published(
    name="tiny10",
    title="Tiny-10",
    form="cifar",
    shape=(3, 4, 4),
    train_counts=(2, 2, 2),
    test_counts=(1, 1, 1),
    folders=("tiny-10-bin", "tiny-10-py"),
    train=("data_batch_1", "data_batch_2"),
    test=("test_batch",),
)

FINE = replace(
    COLOUR,
    name="tiny100",
    title="Tiny-100",
    folders=("tiny-100-bin", "tiny-100-py"),
    train=("train",),
    test=("test",),
    label_bytes=2,
    label_key="fine_labels",
)


class Tiny(ImageTask):
    """The task of `GREY`, for a table of published sets that a test has put it in."""

    kind: Literal["tiny"] = "tiny"
    holds: ClassVar[Stock] = Stock(1, 4, GREY.train_counts, GREY.test_counts)


def images(published: Published, seed: int = 0) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Images and labels, train and test, of which each class has as many as the set says."""
    draw = np.random.default_rng(seed)
    halves = {}
    for name, counts in (("train", published.train_counts), ("test", published.test_counts)):
        labels = draw.permutation(np.repeat(np.arange(len(counts)), counts)).astype(np.uint8)
        halves[name] = (draw.integers(0, 256, (len(labels), *published.shape), dtype=np.uint8), labels)
    return halves


def idx(values: np.ndarray) -> bytes:
    """An array in the idx format."""
    return bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


def idx_contents(published: Published, seed: int = 0) -> dict[str, bytes]:
    """The four idx files of a grey set by name."""
    found = images(published, seed)
    arrays = [found["train"][0][:, 0], found["train"][1], found["test"][0][:, 0], found["test"][1]]
    return {name: idx(array) for name, array in zip(FILES, arrays, strict=True)}


def write_idx(root: Path, published: Published = GREY, packed: bool = True, seed: int = 0) -> Path:
    """Lay a grey set out under a data folder."""
    folder = root / published.folders[0]
    folder.mkdir(parents=True)
    for name, content in idx_contents(published, seed).items():
        if packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)
    return folder


def batches(published: Published, seed: int = 0) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Flat images and labels of each batch of a colour set."""
    found = images(published, seed)
    parts = {}
    for names, half in ((published.train, "train"), (published.test, "test")):
        x, y = found[half]
        for name, rows, labels in zip(
            names,
            np.array_split(x.reshape(len(x), -1), len(names)),
            np.array_split(y, len(names)),
            strict=True,
        ):
            parts[name] = (rows, labels)
    return parts


def binary(published: Published, rows: np.ndarray, labels: np.ndarray) -> bytes:
    """A batch of the binary version; a coarse label, where there is one, is the fine one plus 7."""
    columns = [labels[:, None] + np.uint8(7), labels[:, None]][-published.label_bytes :]
    return np.hstack([*columns, rows]).tobytes()


def pickled(published: Published, rows: np.ndarray, labels: np.ndarray) -> bytes:
    """A batch of the Python version."""
    batch = {
        b"data": rows,
        b"filenames": [b"a.png"] * len(rows),
        published.label_key.encode(): labels.tolist(),
    }
    if published.label_bytes == 2:
        batch[b"coarse_labels"] = (labels + 7).tolist()
    return pickle.dumps(batch, protocol=2)


def contents(published: Published, form: str, seed: int = 0) -> dict[str, bytes]:
    """The files of a colour set by their names in an archive."""
    folder = published.folders[0 if form == "binary" else 1]
    make, suffix = (binary, ".bin") if form == "binary" else (pickled, "")
    return {
        f"{folder}/{name}{suffix}": make(published, *batch)
        for name, batch in batches(published, seed).items()
    }


def write_batches(root: Path, published: Published, form: str, seed: int = 0) -> Path:
    """Lay a colour set out under a data folder."""
    for name, content in contents(published, form, seed).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root / published.folders[0 if form == "binary" else 1]


def archive(files: dict[str, bytes]) -> bytes:
    """A `.tar.gz` archive."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return raw.getvalue()


def served(published: Published, address: str, seed: int = 0) -> tuple[Published, dict[str, bytes]]:
    """A set as it is served at an address, and what is served there by path."""
    if published.form == "idx":
        plain = idx_contents(published, seed)
        files = {f"{name}.gz": gzip.compress(content) for name, content in plain.items()}
        items = tuple(
            Download(
                f"{name}.gz", hashlib.sha256(content).hexdigest(), len(files[f"{name}.gz"]), unpacked=True
            )
            for name, content in plain.items()
        )
    else:
        name = f"{published.title.lower()}-binary.tar.gz"
        files = {name: archive(contents(published, "binary", seed))}
        items = (Download(name, hashlib.sha256(files[name]).hexdigest(), len(files[name])),)
    return replace(published, addresses=(address,), downloads=items), files
