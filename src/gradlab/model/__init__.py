"""Architectures and where their first weights come from. Declarations only; `draw` draws the weights."""

from __future__ import annotations

from typing import Annotated

from gradlab.component import one_of
from gradlab.model.cnn import CNN
from gradlab.model.initial import After, Default, TorchStream
from gradlab.model.mlp import MLP
from gradlab.model.module import Module
from gradlab.model.size import equal_size

__all__ = [
    "CNN",
    "INITIALS",
    "MLP",
    "MODELS",
    "After",
    "Default",
    "Initial",
    "Model",
    "Module",
    "TorchStream",
    "equal_size",
]

MODELS = (MLP, CNN, Module)
"""Every kind of model."""

Model = Annotated[MLP | CNN | Module, one_of(*MODELS)]
INITIALS = (Default, TorchStream, After)
"""Every kind of first weights."""

Initial = Annotated[Default | TorchStream | After, one_of(*INITIALS)]
