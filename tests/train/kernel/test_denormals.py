"""Denormals are flushed inside the kernel and nowhere else."""

import numpy as np

from gradlab.train import kernel
from gradlab.train.kernel.denormals import flushed

TINY = np.array([1e-39], np.float32)


def doubled():
    return float((TINY * np.float32(2))[0])


def test_flushing_ends_with_the_block_also_after_an_error():
    assert doubled() > 0
    try:
        with flushed():
            raise ValueError
    except ValueError:
        pass
    assert doubled() > 0


def test_a_weight_that_decays_without_end_reaches_zero():
    program = kernel.Program((1, 1), optimizer="sgd", weight_decay=1.0)
    weights = np.array([1e-36, 0.0], np.float32)
    x, y = np.zeros((1, 4), np.float32), np.zeros((1, 4), np.float32)
    kernel.train(program, x, y, batch_size=None, order=None, lr=np.full(40, 0.5), weights=weights, slots={})
    assert weights[0] == 0.0
