"""Times the fused kernel against the peers that are installed: `python bench/kernel.py`."""

from gradlab.bench.kernel import measure, table

if __name__ == "__main__":
    print(table(measure()))
