import numpy as np
import pytest
import torch
from torch import nn

from gradlab.bench import peers
from gradlab.bench.exact import Case, classes, regression


def small(updates: int = 0) -> Case:
    torch.manual_seed(updates)
    network = nn.Sequential(
        nn.Linear(1, 10), nn.Tanh(), nn.Linear(10, 10), nn.Tanh(), nn.Linear(10, 1)
    ).double()
    x = torch.linspace(-2, 2, 20, dtype=torch.float64)[:, None]
    return Case("small", network, nn.MSELoss(), "mse", x, torch.sin(x))


def test_the_networks_are_those_of_the_published_comparison():
    reg, cls = regression(3), classes(30)
    assert sum(p.numel() for p in reg.network.parameters()) == 571
    assert [p.numel() for p in cls.network.parameters()] == [800, 40, 1200, 30, 300, 10]
    assert (reg.loss, cls.loss) == ("mse", "cross_entropy")
    assert reg.y[250].item() == pytest.approx(torch.sinc(5 * reg.x[250]).item())


def test_exact_eigenvalues_are_those_of_the_second_derivatives():
    line = nn.Linear(2, 1, bias=False).double()
    x = torch.tensor([[2.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    case = Case("line", line, nn.MSELoss(), "mse", x, torch.zeros((2, 1), dtype=torch.float64))
    np.testing.assert_allclose(case.eigenvalues, [1.0, 4.0])


def test_rows_hold_our_errors_and_say_why_a_peers_is_missing(monkeypatch: pytest.MonkeyPatch):
    threads, state = torch.get_num_threads(), torch.random.get_rng_state()
    monkeypatch.setattr(peers, "regression", small)  # the real ones take longer than a test should
    monkeypatch.setattr(peers, "classes", small)
    monkeypatch.setattr(peers, "_STEPS", 40)
    monkeypatch.setattr(peers, "PEERS", {"PyHessian": ("no_such_module", "none")})
    rows = peers.measure(updates=3)
    assert [row["name"].removeprefix("small: ") for row in rows] == 2 * list(peers.CHECKS)
    errors = {row["name"].removeprefix("small: "): row["ours"] for row in rows}
    assert errors["five largest eigenvalues"] < 1e-6
    assert errors["copies of the largest eigenvalue"] == 0
    assert errors["spectrum by quadrature"] < 0.05
    for row in rows:
        assert row["theirs"] is None
        assert row["failure"] == "is not installed"
        if row["name"].endswith("trace"):
            assert row["ours"] < 5 * row["stated"]
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.random.get_rng_state(), state)
    assert len(peers.table(rows).splitlines()) == len(rows)


def test_a_peer_that_breaks_has_a_row_that_says_so(monkeypatch: pytest.MonkeyPatch):
    def broken(case: object) -> float:
        raise RuntimeError("was removed")

    case = small()
    monkeypatch.setattr(peers, "PEERS", {"NumPy": ("numpy", "numpy")})
    monkeypatch.setattr(peers, "_THEIRS", {"NumPy": {"trace": broken}})
    rows = peers._rows(case, dict.fromkeys([*peers.CHECKS, "stated"], 0.0), "NumPy")
    failures = {row["name"]: row["failure"] for row in rows}
    assert failures["small: trace"] == "fails: RuntimeError: was removed"
    assert failures["small: five largest eigenvalues"] == "does not do it"
    assert all(row["peer"] == f"NumPy {np.__version__}" for row in rows)
