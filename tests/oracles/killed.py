"""Runs gradlab and, at the n-th event of its store, kills itself with SIGKILL.

    python killed.py N COMMAND ...     gradlab COMMAND ..., dead at the n-th event (0: never)
    python killed.py N :small FOLDER   the small study of these tests, with a stand-in for training

Prints how many events there were as the last line on standard error, if it lives.
"""

from __future__ import annotations

import os
import signal
import sys

from gradlab.store import files


def main() -> int:
    fatal, arguments = int(sys.argv[1]), sys.argv[2:]
    events = 0

    def watch(point: str) -> None:
        nonlocal events
        events += 1
        if events == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    code = 0
    with files.watching(watch):
        if arguments[0] == ":small":
            small(arguments[1])
        else:
            from gradlab.cli import main as gradlab

            try:
                sys.argv = ["gradlab", *arguments]
                gradlab()
            except SystemExit as ended:
                code = int(ended.code or 0)
    print(f"\n{events}", file=sys.stderr)
    return code


def small(folder: str) -> None:
    """Every slice is a few epochs, so that there are many events."""
    import studies

    from gradlab.engine import fleets
    from gradlab.store.lab import Lab

    fleets.FIRST_SLICE_SECONDS = fleets.SLICE_SECONDS = 2e-7
    with Lab.open(folder, write=True) as lab:
        studies.train(studies.small(replicates=2, epochs=12), lab)


if __name__ == "__main__":
    sys.exit(main())
