import numpy as np
import pytest
import torch
from torch import nn

from gradlab.bench import top_eigenvalues
from gradlab.bench.top_eigenvalues import measure, table


def test_a_row_holds_time_products_and_a_judged_residual(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(top_eigenvalues, "find_spec", lambda name: None)
    threads = torch.get_num_threads()
    (row,) = measure(images=600, widths=(20, 12, 4))
    assert (row["data"], row["peer"], row["ratio"]) == ("synthetic images", "PyHessian", None)
    assert row["seconds"] > 0
    assert 5 < row["products"] < 200
    # one judge, in float64: what the instrument states holds up to the rounding of its float32 products
    assert row["residual"] == pytest.approx(row["stated"], abs=1e-5)
    assert row["residual"] < 2e-5
    assert torch.get_num_threads() == threads
    assert "not installed" in table([row])


def test_the_judge_knows_a_right_pair_from_a_wrong_one():
    network = nn.Linear(3, 2, bias=False)
    x, y = torch.eye(3).repeat(4, 1), torch.arange(12) % 2
    p = torch.softmax(network(torch.eye(3)).double(), dim=1).detach().numpy()
    # for unit inputs the Hessian has a block p0 p1 (1, -1; -1, 1) / 3 for each of them: eigenvalues 2 p0 p1 / 3
    vectors = np.zeros((3, 6))
    for place in range(3):
        vectors[place, [place, 3 + place]] = 1.0, -1.0
    values = 2 * p.prod(axis=1) / 3
    assert top_eigenvalues._worst(network, x, y, values, 5 * vectors) < 1e-7
    assert top_eigenvalues._worst(network, x, y, 1.1 * values, vectors) > 0.05
