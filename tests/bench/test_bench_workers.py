from gradlab.bench.workers import TARGET, line, measure


def test_one_worker_and_two_train_the_same_fleets():
    rows = measure(repeats=1, epochs=3, images=128)
    assert [row["name"].split()[0] for row in rows] == ["571", "MNIST"]
    for row in rows:
        assert row["speedup"] == row["one_seconds"] / row["two_seconds"] > 0
        assert row["machine"] > 0
        assert row["target"] == TARGET
        assert row["n"] == 1
        assert f"{row['speedup']:.2f}x" in line(row)
