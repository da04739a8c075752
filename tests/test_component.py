"""Declarations are frozen, strict, comparable values with one canonical form."""

from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError

from gradlab.component import Component, Vary, canonical_json, digest_of, one_of, replace, vary, walk


class Round(Component):
    kind: Literal["round"] = "round"
    radius: Annotated[float, Field(gt=0)]
    filled: bool = False
    primary = "radius"


class Square(Component):
    kind: Literal["square"] = "square"
    sides: tuple[int, ...] = (1,)


class Drawing(Component):
    shape: Annotated[Round | Square, one_of(Round, Square)]
    pen: int | Literal["none"] = "none"


@pytest.mark.parametrize(
    "written",
    [
        Round(radius=2),
        {"round": 2},
        {"round": {"radius": 2}},
        {"kind": "round", "radius": 2},
        {"round": 2, "filled": False},
    ],
)
def test_all_spellings_of_a_component_are_equal(written):
    assert Drawing(shape=written).shape == Round(radius=2.0)


def test_lists_become_tuples_so_that_values_stay_frozen():
    assert Drawing(shape={"square": {"sides": [1, 2]}}).shape == Square(sides=(1, 2))


def test_canonical_form_leaves_out_defaults_but_never_the_kind():
    assert Drawing(shape={"round": 1}).canonical() == {"shape": {"kind": "round", "radius": 1.0}}
    assert Drawing(shape={"round": 1, "filled": True}, pen=2).canonical() == {
        "shape": {"kind": "round", "radius": 1.0, "filled": True},
        "pen": 2,
    }


def test_values_are_not_coerced():
    with pytest.raises(ValidationError):
        Drawing(shape=Round(radius=1), pen="3")
    with pytest.raises(ValidationError):
        Round(radius="1")
    with pytest.raises(ValidationError):
        Round(radius=float("nan"))


def test_every_level_of_a_factor_is_validated_and_told_by_name():
    with pytest.raises(ValidationError) as caught:
        Drawing(shape=vary(a=Round(radius=1), b={"round": -1}, c={"square": {"corners": 4}}))
    found = {".".join(map(str, error["loc"])): error["type"] for error in caught.value.errors()}
    assert found == {"shape.b.radius": "greater_than", "shape.c.corners": "extra_forbidden"}


def test_vary_is_found_and_replaced_by_path():
    drawing = Drawing(shape=Round(radius=vary(1.0, 2.0)))
    [(path, factor)] = list(walk(drawing))
    assert path == "shape.radius"
    assert isinstance(factor, Vary)
    assert replace(drawing, path, lambda _: 2.0).shape == Round(radius=2.0)
    assert drawing.tree() == {"shape": {"kind": "round", "radius": {"vary": {"1": 1.0, "2": 2.0}}}}
    assert Drawing(**drawing.tree()) == drawing


@pytest.mark.parametrize("values", [(), (1, 1)])
def test_vary_refuses_no_values_and_equal_names(values):
    with pytest.raises(ValueError, match="vary"):
        vary(*values)


def test_digest_does_not_depend_on_the_order_of_keys():
    assert digest_of({"a": 1, "b": [0.1]}) == digest_of({"b": [0.1], "a": 1})
    assert canonical_json(0.1) == "0.1"
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical_json(float("nan"))
