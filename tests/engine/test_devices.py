import pytest
import studies

from gradlab.engine import devices
from gradlab.errors import EnvironmentProblem, StudyError
from gradlab.model import Module


def test_the_processor_is_no_device():
    assert devices.found(None) is None
    assert devices.found("cpu") is None


@pytest.mark.parametrize("name", ["cdua", "cuda:one", "cuda:", "gpu"])
def test_an_unknown_device_is_told_with_what_there_could_be(name):
    with pytest.raises(StudyError, match="cpu, cuda, cuda:1"):
        devices.found(name)


def test_a_gpu_that_is_not_there_is_told_with_what_pytorch_is_built_for(monkeypatch):
    monkeypatch.setattr(devices, "gpus", list)
    with pytest.raises(EnvironmentProblem, match=r"'cuda': PyTorch finds no GPU here \(torch .* built for"):
        devices.found("cuda")


def test_gpus_are_named_with_their_number(monkeypatch):
    monkeypatch.setattr(devices, "gpus", lambda: ["A", "B"])
    assert [devices.found(name) for name in ("cuda", "cuda:1", "cuda:0")] == ["cuda:0", "cuda:1", "cuda:0"]
    with pytest.raises(EnvironmentProblem, match="there are only 2: A, B"):
        devices.found("cuda:2")


def test_a_gpu_trains_declared_networks_and_the_processor_the_others():
    pick = devices.preferring(lambda _: "loop")
    plan = studies.small().plan()
    assert pick(plan["narrow"].spec) == "vmap"
    foreign = plan["narrow"].spec.model_copy(update={"model": Module.model_construct()})
    assert pick(foreign) == "loop"
