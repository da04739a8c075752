"""BatchNorm as part of the layer before it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gradlab.errors import MeasureError
from gradlab.measure.folding import folded


def used(network: nn.Module, *shape: int) -> nn.Module:
    """A network whose statistics, scales and shifts are not those of a new one."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.affine:
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
    network.train()(3 + 2 * torch.randn(64, *shape))
    return network


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("affine", [True, False])
def test_the_function_stays(bias: bool, affine: bool) -> None:
    block = nn.Sequential(nn.Conv2d(2, 3, 3, bias=bias), nn.BatchNorm2d(3, affine=affine), nn.ReLU())
    network = used(
        nn.Sequential(block, nn.Flatten(), nn.Linear(12, 4, bias=bias), nn.BatchNorm1d(4), nn.Linear(4, 2)),
        2,
        4,
        4,
    )
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    found, count = folded(network)
    x = torch.randn(9, 2, 4, 4)
    with torch.no_grad():
        torch.testing.assert_close(found(x), network.eval()(x), rtol=1e-4, atol=1e-5)
    assert count == 2
    assert not any(isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) for module in found.modules())
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_a_network_without_it_is_copied() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    found, count = folded(network)
    assert count == 0
    assert found is not network


def test_what_has_nowhere_to_go_is_refused() -> None:
    with pytest.raises(MeasureError, match="'1' does not directly follow"):
        folded(nn.Sequential(nn.ReLU(), nn.BatchNorm1d(2)))
    with pytest.raises(MeasureError, match="without running statistics"):
        folded(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2, track_running_stats=False)))
