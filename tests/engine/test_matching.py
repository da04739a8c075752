"""Which array is which weight."""

from __future__ import annotations

import pytest

from gradlab.engine.matching import match
from gradlab.errors import WeightsError

NET = {"conv1.weight": (4, 1, 3, 3), "conv1.bias": (4,), "fc1.weight": (5, 36), "fc1.bias": (5,)}


def test_names_decide_whatever_the_order() -> None:
    found = match(dict(reversed(NET.items())), NET, ordered=True)
    assert found.how == "by name"
    assert found.names == {name: name for name in NET}


@pytest.mark.parametrize(
    ("prefix", "how"),
    [
        ("module.", "without the 'module.' that DataParallel adds"),
        ("_orig_mod.", "without the '_orig_mod.' that torch.compile adds"),
        ("model.net.", "without the 'model.net.'"),
        ("module._orig_mod.", "without the 'module._orig_mod.'"),
    ],
)
def test_a_prefix_that_all_share_is_left_out(prefix: str, how: str) -> None:
    found = match({prefix + name: shape for name, shape in NET.items()}, NET, ordered=True)
    assert found.how == f"by name, {how}"
    assert found.names == {name: prefix + name for name in NET}


def test_other_names_match_by_order_and_shape() -> None:
    other = dict(zip(("a", "b", "c", "d"), NET.values(), strict=True))
    found = match(other, NET, ordered=True)
    assert found.how == "by order and shape"
    assert found.names == dict(zip(NET, other, strict=True))


def test_without_an_order_layers_match_by_their_shapes() -> None:
    sorted_by_name = {
        "body.bias": (4,),
        "body.weight": (4, 1, 3, 3),
        "head.bias": (5,),
        "head.weight": (5, 36),
    }
    found = match(sorted_by_name, NET, ordered=False)
    assert found.how == "by the shapes of layers"
    assert found.names["conv1.weight"] == "body.weight"
    assert found.names["fc1.bias"] == "head.bias"


def test_equal_layers_are_told_apart_by_their_numbers_alone() -> None:
    wanted = {f"fc{k}.weight": (6, 6) for k in (1, 2, 3)}
    numbered = {f"layers.{k}.weight": (6, 6) for k in (10, 2, 4)}
    found = match(numbered, wanted, ordered=False)
    assert list(found.names.values()) == ["layers.2.weight", "layers.4.weight", "layers.10.weight"]
    named = {f"{word}.weight": (6, 6) for word in ("first", "second", "third")}
    with pytest.raises(WeightsError, match="do not fit"):
        match(named, wanted, ordered=False)


def test_a_batch_count_may_be_missing_on_either_side() -> None:
    norm = {"norm1.weight": (4,), "norm1.running_var": (4,), "norm1.num_batches_tracked": ()}
    bare = {name: shape for name, shape in norm.items() if "tracked" not in name}
    assert set(match(bare, norm, ordered=True).names) == set(bare)
    others = {f"bn.{name.partition('.')[2]}": shape for name, shape in norm.items()}
    assert set(match(others, norm, ordered=True).names) == set(bare)


def test_differing_names_are_told_in_a_table() -> None:
    found = {"conv1.weight": (4, 1, 5, 5), "conv1.bias": (4,), "fc1.weight": (5, 36), "fc2.bias": (5,)}
    with pytest.raises(WeightsError) as caught:
        match(found, NET, ordered=True)
    assert str(caught.value) == (
        "the weights do not fit the model: 4 arrays in the file, 4 in the model\n"
        "  in the file   shape         in the model  shape\n"
        "  conv1.weight  [4, 1, 5, 5]  conv1.weight  [4, 1, 3, 3]  another shape\n"
        "                -             fc1.bias      [5]           missing\n"
        "  fc2.bias      [5]                         -             unexpected"
    )


def test_other_names_are_shown_side_by_side() -> None:
    with pytest.raises(WeightsError) as caught:
        match({"a": (4, 1, 5, 5), "b": (4,)}, NET, ordered=True)
    assert str(caught.value).splitlines()[2:] == [
        "  a            [4, 1, 5, 5]  conv1.weight  [4, 1, 3, 3]  another shape",
        "  b            [4]           conv1.bias    [4]",
        "               -             fc1.weight    [5, 36]       missing",
        "               -             fc1.bias      [5]           missing",
    ]


def test_a_long_table_is_cut() -> None:
    with pytest.raises(WeightsError, match=r"\.\.\. and 70 more$"):
        match({f"{k}.w": (1,) for k in range(100)}, {f"fc{k}.w": (2,) for k in range(100)}, ordered=True)


def test_transposed_weights_never_fit() -> None:
    with pytest.raises(WeightsError):
        match({"a.weight": (36, 5), "a.bias": (5,)}, {"fc1.weight": (5, 36), "fc1.bias": (5,)}, ordered=True)
