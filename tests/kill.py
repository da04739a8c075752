"""Kill a study with SIGKILL at moments drawn over the events of its store, re-issue it, compare the digests.

    python tests/kill.py reports/002/sim-sinc --moments 20 -- --budget quick --replicates 3
    python tests/kill.py reports/002/mnist --deaths 10 --slices 0 -- --replicates 1 --set task.train=2000

The first kills one lab after the other, each once; the second kills one lab again and again, with a checkpoint
after every epoch. What stands after `--` is handed to `gradlab run`. Ends with 0 if every digest is that of an
undisturbed run.
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


class Study:
    """A study that is run in processes of its own, in labs of one folder.

    Args:
        name: What `gradlab run` takes.
        place: The folder.
        slices: Seconds that a slice lasts, if not as usual.
        options: Further words of the command.
    """

    def __init__(self, name: str, place: Path, slices: float | None, options: list[str]) -> None:
        self.name = name
        self.place = place
        self._options = options
        self._environment = os.environ | {"PYTHONPATH": str(ORACLES)}
        if slices is not None:
            self._environment["GRADLAB_TEST_SLICES"] = str(slices)

    def train(self, fatal: int, lab: str) -> subprocess.CompletedProcess[str]:
        """Run it in a process that dies at the event `fatal` of its store; 0 lets it live."""
        pages = str(self.place / "pages")
        return self._gradlab(
            fatal, "run", self.name, "--lab", str(self.place / lab), "--out", pages, *self._options
        )

    def events(self, lab: str) -> int:
        """How many events it takes to its end from where a lab stands."""
        done = self.train(0, lab)
        if done.returncode:
            sys.exit(done.stderr)
        return int(done.stderr.splitlines()[-1])

    def digest(self, lab: str) -> str:
        return self._gradlab(0, "digest", "--lab", str(self.place / lab)).stdout.strip()

    def _gradlab(self, fatal: int, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ORACLES / "killed.py"), str(fatal), *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=self._environment, check=False)


def each_once(study: Study, events: int, expected: str, count: int, draw: random.Random) -> int:
    """Kill it in lab after lab at moments spread over all events; returns how many digests differ."""
    wrong = 0
    moments = sorted(draw.sample(range(1, events + 1), min(count, events)))
    for number, moment in enumerate(moments, 1):
        lab = f"killed-{number}"
        killed, again = study.train(moment, lab), study.train(0, lab)
        found = study.digest(lab)
        good = killed.returncode == -9 and again.returncode == 0 and found == expected
        wrong += not good
        told = "same" if good else "DIFFERENT"
        print(f"{number:3} killed at event {moment} ({killed.returncode}): {told} {found}", flush=True)
        if not good:
            print(again.stderr, file=sys.stderr)
    return wrong


def again_and_again(study: Study, events: int, expected: str, deaths: int, draw: random.Random) -> int:
    """Kill it `deaths` times in one lab, then let it end; returns whether the digest differs."""
    idle = study.events("undisturbed")  # what a command takes that finds everything done
    share = max(1, (events - idle) // (deaths + 1))
    for number in range(1, deaths + 1):
        moment = draw.randint(idle, idle + share)
        code = study.train(moment, "killed").returncode
        print(f"{number:3} killed at event {moment} ({code})", flush=True)
        if code != -9:
            sys.exit("it did not live long enough to be killed so often: more epochs, or --slices 0")
    study.events("killed")
    found = study.digest("killed")
    print(f"{'same' if found == expected else 'DIFFERENT'} {found}")
    return int(found != expected)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study")
    parser.add_argument("--moments", type=int, default=20, help="labs to kill once each")
    parser.add_argument("--deaths", type=int, default=0, help="kill one lab so often instead")
    parser.add_argument("--slices", type=float, help="seconds between checkpoints; 0: every epoch")
    parser.add_argument("--seed", type=int, default=0)
    given, options = parser.parse_known_args()
    options = [option for option in options if option != "--"]
    draw = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as folder:
        study = Study(given.study, Path(folder), given.slices, options)
        events = study.events("undisturbed")
        expected = study.digest("undisturbed")
        print(f"{given.study}: {events} store events, digest {expected}", flush=True)
        if given.deaths:
            return again_and_again(study, events, expected, given.deaths, draw)
        return min(1, each_once(study, events, expected, given.moments, draw))


if __name__ == "__main__":
    sys.exit(main())
