from types import SimpleNamespace

import studies

from gradlab.engine import workforce as module
from gradlab.engine.library import Library, built
from gradlab.engine.missing import Job
from gradlab.engine.rates import Rates
from gradlab.engine.workforce import workforce
from gradlab.model import MLP


def staff(tmp_path, wanted=None, epochs=50, device="cpu", in_process=False, backend="kernel", **options):
    plan = studies.small(epochs=epochs).plan()
    jobs = []
    for run in plan.runs:
        spec = plan[run.condition].spec
        if in_process:
            spec = spec.model_copy(update={"model": Foreign(*spec.model.hidden)})
        jobs.append(Job(run, run.condition, spec, 10, 0, (epochs,), plan.record, None))
    library = Library(built, lambda _: backend, device)
    return workforce(jobs, library, Rates(library), wanted, tmp_path, **options)


class Foreign(MLP):
    """A network that cannot travel."""

    @property
    def in_process(self):
        return True


def test_brief_work_needs_no_processes_and_long_work_one_for_each_core(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "cores", lambda: 4)
    assert staff(tmp_path).workers == 1
    assert staff(tmp_path, epochs=10**8).workers == 4
    monkeypatch.setattr(module, "cores", lambda: 64)
    assert staff(tmp_path, epochs=10**8).workers == 6, "no more than there are runs"
    assert staff(tmp_path, wanted=3).workers == 3


def test_a_gpu_has_one_worker_of_its_own(tmp_path):
    found = staff(tmp_path, wanted=3, epochs=10**8, device="cuda:0", backend="vmap")
    assert (found.workers, found.apart, found.kernels) == (1, True, ())
    assert found.pool(None).own_processes


def test_a_network_that_cannot_travel_stays_here(tmp_path):
    found = staff(tmp_path, wanted=3, in_process=True)
    assert (found.workers, found.apart) == (1, False)
    assert staff(tmp_path, in_process=True, device="cuda:0", backend="vmap").pool(None).inline


def test_only_kernels_that_are_needed_are_loaded(tmp_path):
    assert staff(tmp_path).kernels == ("float32",)
    assert staff(tmp_path, backend="loop").kernels == ()
    assert staff(tmp_path, real=False).kernels == ()


def test_nothing_to_train_needs_nobody(tmp_path):
    library = SimpleNamespace(device="cpu")
    assert workforce([], library, None, None, tmp_path).workers == 1
