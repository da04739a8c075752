"""The fused CPU kernel: whole epochs of a multilayer perceptron's training in one compiled call.

Forward pass, backward pass and optimizer run over a tile of the batch that stays in cache, one thread a network.
"""

from gradlab.train.kernel.call import alive as alive
from gradlab.train.kernel.call import compile as compile
from gradlab.train.kernel.call import evaluate as evaluate
from gradlab.train.kernel.call import hidden as hidden
from gradlab.train.kernel.call import train as train
from gradlab.train.kernel.layout import is_wide as is_wide
from gradlab.train.kernel.program import Measured as Measured
from gradlab.train.kernel.program import Program as Program
