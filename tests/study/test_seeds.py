"""Seeds are per purpose: fixed, shared or varied."""

from gradlab import Seeds


def test_each_purpose_follows_its_own_policy():
    seeds = Seeds(base=100, data="varied", init=7, order="shared")
    assert seeds.of(3)["data"] == 103
    assert seeds.of(3)["init"] == 7
    assert seeds.of(3)["order"] == 100
    assert seeds.varied() == {"data", "dropout"}
