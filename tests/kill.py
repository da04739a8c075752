"""Kill a study with SIGKILL at moments drawn over the events of its store, re-issue it, compare the digests.

    python tests/kill.py reports/002/sim-sinc --moments 20 -- --budget quick --replicates 3

What stands after `--` is handed to `gradlab run`. Ends with 0 if every digest is that of an undisturbed run.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

ORACLES = Path(__file__).parent / "oracles"


def gradlab(fatal: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run gradlab in a process that dies at the event `fatal` of its store; 0 lets it live."""
    command = [sys.executable, str(ORACLES / "killed.py"), str(fatal), *arguments]
    environment = os.environ | {"PYTHONPATH": str(ORACLES)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def moments(events: int, count: int, seed: int) -> list[int]:
    """Moments to die at, without repetition, spread over all events."""
    return sorted(random.Random(seed).sample(range(1, events + 1), min(count, events)))


def run(study: str, count: int, seed: int, options: list[str]) -> int:
    """Do it; returns how many digests differ."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)

        def train(fatal: int, lab: Path) -> subprocess.CompletedProcess[str]:
            return gradlab(fatal, "run", study, "--lab", str(lab), "--out", str(place / "pages"), *options)

        def digest(lab: Path) -> str:
            return gradlab(0, "digest", "--lab", str(lab)).stdout.strip()

        undisturbed = train(0, place / "undisturbed")
        if undisturbed.returncode:
            sys.exit(undisturbed.stderr)
        expected = digest(place / "undisturbed")
        events = int(undisturbed.stderr.splitlines()[-1])
        print(f"{study}: {events} store events, digest {expected}")
        wrong = 0
        for number, moment in enumerate(moments(events, count, seed), 1):
            lab = place / f"killed-{number}"
            killed = train(moment, lab)
            again = train(0, lab)
            found = digest(lab)
            good = killed.returncode == -9 and again.returncode == 0 and found == expected
            wrong += not good
            print(
                f"{number:3} killed at event {moment} ({killed.returncode}): {'same' if good else 'DIFFERENT'} {found}"
            )
            if not good:
                print(again.stderr, file=sys.stderr)
        return wrong


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study")
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given, options = parser.parse_known_args()
    options = [option for option in options if option != "--"]
    sys.exit(1 if run(given.study, given.moments, given.seed, options) else 0)
