"""What is known of the published sets agrees with itself."""

from __future__ import annotations

import re

import pytest

from gradlab.task import TASKS
from gradlab.task.folder import Folder
from gradlab.task.images import ImageTask
from gradlab.task.readers import PUBLISHED

SETS = {
    cls.model_fields["kind"].default: cls for cls in TASKS if issubclass(cls, ImageTask) and cls is not Folder
}


def test_every_image_task_is_published() -> None:
    assert set(SETS) == set(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_set_is_what_its_task_says(name: str) -> None:
    published, stock = PUBLISHED[name], SETS[name].holds
    assert published.name == name
    assert published.shape == (stock.channels, stock.side, stock.side)
    assert (published.train_counts, published.test_counts) == (stock.train, stock.test)
    assert (sum(stock.train), sum(stock.test)) == ((60_000 if name.endswith("mnist") else 50_000), 10_000)


@pytest.mark.parametrize("name", PUBLISHED)
def test_everything_that_is_fetched_has_a_hash_and_an_address(name: str) -> None:
    published = PUBLISHED[name]
    assert published.downloads
    assert all(re.fullmatch("[0-9a-f]{64}", item.sha256) for item in published.downloads)
    assert all(re.match(r"https?://.*/$", address) for address in published.addresses)
    assert set(published.digests) <= set(published.files)
    hashes = [digest for digests in published.digests.values() for digest in digests]
    assert all(re.fullmatch("(sorted:)?[0-9a-f]{64}", digest) for digest in hashes)
    assert len(set(hashes)) == len(hashes)
