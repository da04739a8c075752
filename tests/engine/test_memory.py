import pytest
import studies

from gradlab.engine import memory
from gradlab.engine.library import Library, built
from gradlab.engine.memory import Need, refuse_too_large, total
from gradlab.engine.missing import Job
from gradlab.errors import EnvironmentProblem
from gradlab.model import CNN, MLP
from gradlab.task import CIFAR10


def need_of(backend="loop", **fields):
    plan = studies.small(replicates=2, **fields).plan()
    jobs = [
        Job(
            run,
            run.condition,
            plan[run.condition].spec,
            plan[run.condition].parameters,
            0,
            (50,),
            plan.record,
            None,
        )
        for run in plan.runs
    ]
    return Need(jobs, Library(built, lambda _: backend))


LARGE = CNN("conv 32x3 pad 1, conv 32x3 pad 1, pool 2, 512")


def test_a_machine_has_some_memory_and_a_container_less(monkeypatch, tmp_path):
    assert total() > 1e8
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(memory, "LIMITS", (str(limit), str(tmp_path / "none")))
    before = total()
    limit.write_text("max\n")
    assert total() == before
    limit.write_text("123456789\n")
    assert total() == 123456789


def test_data_count_once_and_networks_with_every_worker():
    need = need_of(task=CIFAR10(), model=LARGE, batch_size=64)
    images = 60_000 * 3 * 32 * 32 * 4
    assert need.shared > 2 * images
    assert need.worker > 4_200_000 * 4 * 7
    assert need.bytes(3) - need.bytes(2) == need.worker
    assert need.disk == pytest.approx(2 * 4_210_090 * 4 * 3, rel=0.01)
    assert need_of(task=CIFAR10(), model=LARGE, batch_size=6400).worker > 2 * need.worker


def test_there_are_as_many_workers_as_memory_holds_and_at_least_one(monkeypatch):
    need = need_of(task=CIFAR10(), model=LARGE, batch_size=64)
    for room, expected in ((0.5, 1), (1.5, 1), (2.5, 2), (100, 8)):
        monkeypatch.setattr(memory, "total", lambda room=room: need.shared + int(room * need.worker))
        assert need.workers(8) == expected


def test_what_does_not_fit_says_what_to_lower(monkeypatch, tmp_path):
    need = need_of(task=CIFAR10(), model={"tiny": CNN("conv 4x3, pool 4"), "large": LARGE}, batch_size=64)
    refuse_too_large(need, 1, tmp_path)
    monkeypatch.setattr(memory, "total", lambda: 2_000_000_000)
    with pytest.raises(EnvironmentProblem) as caught:
        refuse_too_large(need, 4, tmp_path)
    for part in ("'large' needs about", "fewer workers (now 4)", "2.0 GB", "4,2", "batch size 64"):
        assert part in str(caught.value)


def test_states_that_the_disk_cannot_hold_are_refused(monkeypatch, tmp_path):
    class Usage:
        free = 1_000_000

    monkeypatch.setattr(memory.shutil, "disk_usage", lambda _: Usage)
    refuse_too_large(need_of(model=MLP(3)), 1, tmp_path)
    with pytest.raises(EnvironmentProblem, match=r"about 101 MB, and the disk of .* has 1 MB left"):
        refuse_too_large(need_of(task=CIFAR10(), model=LARGE, batch_size=64), 1, tmp_path)
