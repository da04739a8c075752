"""Runs gradlab and, at the n-th event of its store, kills itself with SIGKILL.

    python killed.py N COMMAND ...     gradlab COMMAND ..., dead at the n-th event (0: never)
    python killed.py N :small FOLDER   the small study of these tests, with a stand-in for training
    python killed.py N :measured FOLDER   the same with weights kept on the way, and measured
    python killed.py N :images FOLDER BACKEND   a convolutional network in slices of one epoch, really trained

With GRADLAB_TEST_SLICES set to a number of seconds, slices are that long, or one epoch.
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

    if "GRADLAB_TEST_SLICES" in os.environ:
        slices_of(float(os.environ["GRADLAB_TEST_SLICES"]))
    code = 0
    with files.watching(watch):
        if arguments[0] == ":small":
            small(arguments[1])
        elif arguments[0] == ":measured":
            measured(arguments[1])
        elif arguments[0] == ":images":
            images(*arguments[1:])
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

    from gradlab.store.lab import Lab

    slices_of(2e-7)
    with Lab.open(folder, write=True) as lab:
        studies.train(studies.small(replicates=2, epochs=12), lab)


def measured(folder: str) -> None:
    """The small study, trained and measured by stand-ins."""
    import studies

    from gradlab.store.lab import Lab

    slices_of(2e-7)
    with Lab.open(folder, write=True) as lab:
        studies.train(studies.measured(), lab)
        studies.measure(studies.measured(), lab)


def images(folder: str, backend: str) -> None:
    """One network with dropout, trained by the fused kernel or by the PyTorch loop."""
    import studies

    from gradlab.engine.coordinator import run_plan
    from gradlab.store.lab import Lab

    slices_of(1e-9)
    with Lab.open(folder, write=True) as lab:
        run_plan(studies.images().plan(), lab, workers=1, backend=lambda _: backend)


def slices_of(seconds: float) -> None:
    from gradlab.engine import rates

    rates.FIRST_SLICE_SECONDS = rates.SLICE_SECONDS = rates.LONG_SLICE_SECONDS = seconds


if __name__ == "__main__":
    sys.exit(main())
