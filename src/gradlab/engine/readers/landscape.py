"""The loss on planes through a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradlab.engine.readers.sitting import Sitting
    from gradlab.measure.measurement import Measurement

__all__ = ["read"]


def read(sitting: Sitting, **settings: Any) -> list[Measurement]:
    """The landscape around each network of a sitting."""
    from gradlab.measure.landscape import landscape

    x, y = sitting.examples()
    networks = [sitting.network(sitter.only) for sitter in sitting.sitters]
    return [landscape(network, sitting.spec.loss, x, y, **settings) for network in networks]
