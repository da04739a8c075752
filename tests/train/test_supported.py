import pytest
from fleets import spec_of

from gradlab.model import CNN, MLP
from gradlab.task.images import MNIST, CropFlip
from gradlab.train.learner import pick_backend
from gradlab.train.supported import supported, unsupported


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        ("conv 3x3, pool 2, 7, drop 0.5, softmax", None),
        ("conv 3x3, norm", "norm1 is a batch normalisation"),
        ("conv 3x3, conv 3x3 stride 2", "conv2 has a stride of 2"),
        ("conv 3x3 pad 3", "conv1 has more padding than its kernel of 3 reaches"),
        ("pool 17", "pool1 has 289 places, more than a byte counts"),
    ],
)
def test_which_layers_the_kernel_has(layers, reason):
    spec = spec_of(task=MNIST(), model=CNN(layers))
    assert unsupported(spec.model.resolved((1, 28, 28), 10)) == reason
    assert supported(spec) == (reason is None)
    assert pick_backend(spec) == ("loop" if reason else "kernel")


def test_only_what_it_does_in_full():
    assert not supported(spec_of(task=MNIST(), model=CNN("conv 3x3"), precision="bfloat16"))
    assert not supported(spec_of(task=MNIST(), model=CNN("conv 3x3"), objective="sum_of_outputs"))
    assert not supported(spec_of(model=MLP(3)))


def test_flat_images_cannot_be_cropped_as_they_are_loaded():
    task = MNIST(augment=CropFlip())
    assert pick_backend(spec_of(task=task, model=CNN("7, softmax"))) == "loop"
    assert pick_backend(spec_of(task=task, model=CNN("drop 0.1, 7"))) == "kernel"
