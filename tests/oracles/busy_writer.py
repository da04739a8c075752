"""A process that writes to a lab: for as long as it lives, or until it dies inside a commit.

python busy_writer.py FOLDER            writes slices until it is killed
python busy_writer.py FOLDER POINT N    kills itself when POINT is passed for the N-th time
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections import Counter

from labs import RECORD, asked, slice_of

from gradlab.store import files
from gradlab.store.lab import Lab


def main(folder: str, point: str = "", nth: str = "0") -> None:
    passed: Counter[str] = Counter()

    def watch(reached: str) -> None:
        passed[reached] += 1
        if reached == point and passed[reached] == int(nth):
            os.kill(os.getpid(), signal.SIGKILL)

    with files.watching(watch), Lab.open(folder, write=True) as lab:
        ids = asked(lab, 20)
        lab.begin(dict.fromkeys(ids, 0), "kernel")
        for step in itertools.count():
            lab.store_slice([slice_of(run, 50 * step, 50 * (step + 1)) for run in ids], RECORD)
            print(step, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
