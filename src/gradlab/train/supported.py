"""Which convolutional networks the fused kernel trains, told without compiling or importing it."""

from __future__ import annotations

from gradlab.model.cnn import CNN
from gradlab.model.layers import Conv, Dense, Layer, Norm, Pool, Softmax
from gradlab.study.spec import Spec

__all__ = ["supported", "unsupported"]

_WIDEST_POOL = 16
"""Side of the largest pooling square, whose places a byte can count."""


def supported(spec: Spec) -> bool:
    """Whether the fused kernel can train a specification of a convolutional network, in full."""
    if not isinstance(spec.model, CNN) or spec.precision != "full":
        return False
    if spec.loss != "cross_entropy" or spec.objective != "loss":
        return False
    layers = spec.model.resolved(spec.task.shape, spec.task.outputs)
    if getattr(spec.task, "augment", None) is not None and isinstance(layers[0], Dense):
        return False  # the kernel moves pixels as it loads an image, which by then is flat
    return unsupported(layers) is None


def unsupported(layers: tuple[Layer, ...]) -> str | None:
    """Why the kernel cannot train these layers; None if it can.

    Args:
        layers: From the input on.

    Returns:
        The reason, naming the layer.

    Example:
        >>> from gradlab.model.layers import Conv, Dense
        >>> layers = (Conv("conv1", (1, 8, 8), (2, 3, 3), kernel=3, stride=2), Dense("fc1", (18,), (2,)))
        >>> unsupported(layers)
        'conv1 has a stride of 2'
    """
    for layer in layers:
        match layer:
            case Norm():
                return f"{layer.name} is a batch normalisation"
            case Conv() if layer.stride > 1:
                return f"{layer.name} has a stride of {layer.stride}"
            case Conv() if layer.pad >= layer.kernel:
                return f"{layer.name} has more padding than its kernel of {layer.kernel} reaches"
            case Pool() if layer.size > _WIDEST_POOL:
                return f"{layer.name} has {layer.size**2} places, more than a byte counts"
            case Softmax() if layer is not layers[-1]:
                return f"{layer.name} is not the last layer"
            case _:
                pass
    return None
