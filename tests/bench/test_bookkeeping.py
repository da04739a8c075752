from gradlab.bench.bookkeeping import measure


def test_it_times_what_it_says():
    rows = measure(runs=30, repeats=2)
    assert [row["name"] for row in rows] == ["planned, run and stored", "issued again", "digest"]
    for row in rows:
        assert 0 < row["runs_per_second_median"] <= row["runs_per_second"]
        assert (row["runs"], row["n"]) == (30, 2)
