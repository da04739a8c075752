import numpy as np
import pytest
import studies

from gradlab.engine.library import Library
from gradlab.engine.missing import Job
from gradlab.engine.shelf import Shelf, Shelved
from gradlab.errors import EnvironmentProblem
from gradlab.task import Function
from gradlab.task.data import Data


def jobs_of(**fields):
    settings = {key: fields.pop(key) for key in list(fields) if "." in key}
    plan = studies.small(replicates=3, **fields).with_settings(settings).plan()
    return [
        Job(run, run.condition, plan[run.condition].spec, 10, 0, (50,), plan.record, None)
        for run in plan.runs
    ]


class Builder:
    """Counts how often data are built."""

    def __init__(self):
        self.built = 0

    def __call__(self, spec, seeds):
        self.built += 1
        draw = np.random.default_rng(seeds["labels"])
        return Data(np.ones((400, 1, 28, 28), np.float32), draw.integers(0, 10, 400))


def test_seeds_that_the_task_does_not_draw_from_make_no_data_of_their_own():
    build = Builder()
    library = Library(build, studies.pick)
    found = [library.data(job) for job in jobs_of(**{"seeds.data": "varied", "seeds.labels": "varied"})]
    assert build.built == 1
    assert all(data is found[0] for data in found)
    assert library.labels(jobs_of()[0]) is None


def test_labels_that_are_drawn_make_data_of_their_own():
    build = Builder()
    library = Library(build, studies.pick)
    task = Function("sinc", low=-5, high=5, points=20, noise=0.1)
    jobs = jobs_of(task=task, **{"seeds.labels": "varied"})
    data = [library.data(job) for job in jobs]
    assert (len(jobs), build.built) == (6, 3)
    assert len({library.labels(job).key for job in jobs}) == 3
    for job, own in zip(jobs, data, strict=True):
        assert np.array_equal(library.labels(job).values, own.y)


def test_what_was_lost_is_built_and_written_anew(tmp_path):
    build = Builder()
    library = Library(build, studies.pick)
    library.shelf = Shelf(tmp_path / "data")
    (job, *_) = jobs_of()
    place = library.data(job).x
    assert isinstance(place, Shelved)
    (path,) = library.shelf.folder.iterdir()
    path.unlink()
    library.mend()
    assert library.data(job).x == place
    assert build.built == 2
    assert path.exists()


def test_too_little_memory_for_the_data_is_told():
    def build(spec, seeds):
        raise MemoryError

    with pytest.raises(EnvironmentProblem, match=r"not enough memory for the data of 'narrow' \(0 kB\)"):
        Library(build, studies.pick).data(jobs_of()[0])
