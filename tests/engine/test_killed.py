"""A coordinator that dies with SIGKILL at any event of its store loses nothing that was stored."""

import os
import random
import subprocess
import sys
from pathlib import Path

import killed
import numpy as np
import pytest
import studies

from gradlab.store.lab import Lab


def dying(fatal, folder, study=":small", *options):
    environment = os.environ | {"PYTHONPATH": str(Path(killed.__file__).parent)}
    command = [sys.executable, killed.__file__, str(fatal), study, str(folder), *options]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The digest of an undisturbed run, and how many events its store had."""
    folder = tmp_path_factory.mktemp("undisturbed")
    done = dying(0, folder / "lab")
    assert done.returncode == 0, done.stderr
    with Lab.open(folder / "lab") as lab:
        return lab.digest(), int(done.stderr.splitlines()[-1])


def test_the_digest_does_not_depend_on_the_length_of_slices(undisturbed, tmp_path):
    assert studies.digest_of(studies.small(replicates=2, epochs=12), tmp_path / "lab") == undisturbed[0]


DRAW = random.Random(7)
SHARES = [DRAW.uniform(place / 8, (place + 1) / 8) for place in range(8)]


@pytest.mark.parametrize("share", SHARES)
def test_a_killed_study_that_is_issued_again_ends_with_the_same_digest(undisturbed, tmp_path, share):
    expected, events = undisturbed
    assert events > 100
    died = dying(1 + int(share * events), tmp_path / "lab")
    assert died.returncode == -9
    with Lab.open(tmp_path / "lab", write=True) as lab:
        studies.train(studies.small(replicates=2, epochs=12), lab)
        assert lab.digest() == expected


def test_a_study_that_dies_again_and_again_still_gets_through(undisturbed, tmp_path):
    expected, events = undisturbed
    deaths = 0
    while dying(events // 4, tmp_path / "lab").returncode == -9:
        deaths += 1
        assert deaths < 10
    assert deaths >= 2
    with Lab.open(tmp_path / "lab") as lab:
        assert lab.digest() == expected


@pytest.mark.parametrize("backend", ["kernel", "loop"])
def test_a_network_for_images_that_dies_again_and_again_ends_as_if_it_had_not(tmp_path, backend):
    undisturbed = dying(0, tmp_path / "whole", ":images", backend)
    assert undisturbed.returncode == 0, undisturbed.stderr
    events = int(undisturbed.stderr.splitlines()[-1])
    deaths = 0
    while dying(events // 3, tmp_path / "lab", ":images", backend).returncode == -9:
        deaths += 1
        assert deaths < 10
    assert deaths >= 2
    with Lab.open(tmp_path / "whole") as whole, Lab.open(tmp_path / "lab") as lab:
        assert lab.digest() == whole.digest()
        (run,) = whole.ids()
        expected, found = whole.load_state(run), lab.load_state(run)
        assert np.array_equal(found.weights, expected.weights)
        assert all(np.array_equal(found.slots[name], expected.slots[name]) for name in expected.slots)


@pytest.fixture(scope="module")
def undisturbed_measuring(tmp_path_factory):
    """The same of a study that keeps weights on the way and measures them."""
    folder = tmp_path_factory.mktemp("measured")
    done = dying(0, folder / "lab", ":measured")
    assert done.returncode == 0, done.stderr
    with Lab.open(folder / "lab") as lab:
        return lab.digest(), int(done.stderr.splitlines()[-1])


@pytest.mark.parametrize("share", [0.3, 0.75, 0.95])
def test_a_measured_study_that_is_killed_keeps_its_weights_and_measures_nothing_twice(
    undisturbed_measuring, tmp_path, share
):
    expected, events = undisturbed_measuring
    assert dying(int(share * events), tmp_path / "lab", ":measured").returncode == -9
    with Lab.open(tmp_path / "lab", write=True) as lab:
        before = sum(map(len, lab.subjects().values()))
        study = studies.measured()
        studies.train(study, lab)
        done = studies.measure(study, lab)
        assert done.reused == before
        assert lab.digest() == expected
