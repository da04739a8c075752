"""Shapes of foreign modules, checked without computing."""

from __future__ import annotations

import foreign_net
from torch import nn

from gradlab.model import Module
from gradlab.model.fit import shape_problem


def test_a_module_that_fits_has_no_problem() -> None:
    assert shape_problem(Module(foreign_net.Regressor, norm=True), 1, 1) == ""
    assert shape_problem(Module(foreign_net.Convolution), (1, 8, 8), 10) == ""


def test_problems_name_both_shapes() -> None:
    assert "examples of shape [n, 3]" in shape_problem(Module(foreign_net.Regressor), 3, 1)
    assert "returns shape [n, 1]" in shape_problem(Module(foreign_net.Regressor), 1, 2)
    assert "cannot be built: TypeError" in shape_problem(Module(nn.Linear), 1, 1)
