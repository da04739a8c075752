"""Where first weights come from, as declarations."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from gradlab.component import vary
from gradlab.model import After, Default, TorchStream


def test_python_and_tables_say_the_same() -> None:
    assert TorchStream(42, 573) == TorchStream.model_validate({"seed": 42, "position": 573})
    assert TorchStream(seed=42).position == 0
    assert After({"task": "sinc"}) == After.model_validate({"levels": {"task": "sinc"}})
    assert Default().canonical() == {"kind": "default"}


def test_a_position_may_vary() -> None:
    assert TorchStream(2, vary(0, 571)).canonical()["position"] == {"vary": {"0": 0, "571": 571}}


@pytest.mark.parametrize("seed", [-1, 2**63, 1.5, "1"])
def test_seeds_are_those_of_torch(seed: object) -> None:
    with pytest.raises(ValidationError):
        TorchStream(seed)  # type: ignore[arg-type]


def test_after_names_a_level() -> None:
    with pytest.raises(ValidationError, match="at least 1 item"):
        After({})
