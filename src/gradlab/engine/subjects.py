"""What of a plan is still to be measured, and in which groups it is measured together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gradlab.component import canonical_json
from gradlab.engine.missing import Job
from gradlab.engine.readers import READERS, Sitter, Sitting, Weights

if TYPE_CHECKING:
    from gradlab.engine.library import Library
    from gradlab.store.lab import Lab
    from gradlab.study.plan import Plan
    from gradlab.study.subjects import Subject
    from gradlab.task.data import Data

__all__ = ["Bench", "Sitters", "unmeasured", "wanted"]

_Place = tuple[str, int, bool]
"""A run, an epoch, and whether it is the run's result there that is meant."""


def unmeasured(plan: Plan, lab: Lab) -> dict[str, list[Subject]]:
    """The subjects of each kind of instrument that were neither measured nor refused, each key once."""
    lacking: dict[str, list[Subject]] = {}
    for kind, subjects in plan.subjects.items():
        each = {subject.key: subject for subject in reversed(subjects)}
        stored = lab.measured(plan.study.measure[kind].digest, list(each))
        done = {key for key, found in stored.items() if found.outcome != "failed"}
        left = [subject for subject in reversed(each.values()) if subject.key not in done]
        if left:
            lacking[kind] = left
    return lacking


def wanted(plan: Plan, lab: Lab) -> set[tuple[str, int]]:
    """The runs and epochs whose weights will be looked at."""
    return {
        (member.run, epoch)
        for subjects in unmeasured(plan, lab).values()
        for subject in subjects
        for member in subject.members
        for epoch in member.epochs
    }


@dataclass(frozen=True)
class Sitters:
    """Subjects of one instrument, specification, data and seed that are measured together.

    Attributes:
        kind: The kind of instrument.
        group: What tells apart the subjects that take equally long.
        subjects: Those to be measured.
        slots: The place of each.
        width: How many places there are.
    """

    kind: str
    group: str
    subjects: tuple[Subject, ...]
    slots: tuple[int, ...]
    width: int

    def one(self, place: int) -> Sitters:
        """One subject by itself, at its own place."""
        return Sitters(self.kind, self.group, (self.subjects[place],), (self.slots[place],), self.width)


class Bench:
    """Puts subjects together and finds their weights.

    Args:
        plan: The plan.
        lab: The lab, in which the runs have been trained.
        library: What the runs learned from.

    Attributes:
        notes: What a reader should know of a subject's weights, by key.
    """

    def __init__(self, plan: Plan, lab: Lab, library: Library) -> None:
        self._plan = plan
        self._lab = lab
        self._library = library
        self._runs = {run.id: run for run in plan.runs}
        self._texts = {c.name: canonical_json(c.spec.canonical()) for c in plan.conditions}
        self._rows = lab.known([run.id for run in plan.runs])
        self.notes: dict[str, str] = {}

    def together(self, kind: str, lacking: Sequence[Subject]) -> list[Sitters]:
        """Subjects in the groups in which they are measured.

        The place of a subject follows from the plan alone, not from which others are missing or how fast it goes, so
        that its bits are the same however measuring was interrupted.
        """
        made: list[Sitters] = []
        missing = {subject.key for subject in lacking}
        places: dict[str, dict[str, Subject]] = {}
        for subject in self._plan.subjects[kind]:
            places.setdefault(self._group(kind, subject), {}).setdefault(subject.key, subject)
        for group, subjects in places.items():
            members = list(subjects.values())
            width = READERS[kind].width(self._plan[members[0].members[0].condition].parameters)
            for first in range(0, len(members), width):
                part = [
                    (s, slot) for slot, s in enumerate(members[first : first + width]) if s.key in missing
                ]
                if part:
                    chosen, slots = zip(*part, strict=True)
                    made.append(Sitters(kind, group, chosen, slots, width))
        return made

    def sitting(self, sitters: Sitters) -> Sitting:
        """The weights and data of some subjects.

        Raises:
            StoreError: Weights were not kept, or their file is damaged.
        """
        first = sitters.subjects[0]
        weights = self._weights(sitters.subjects)
        return Sitting(
            sitters.kind,
            self._plan.study.measure[sitters.kind],
            self._plan[first.members[0].condition].spec,
            self._data(first),
            first.seed,
            tuple(self._sitter(subject, weights) for subject in sitters.subjects),
            sitters.slots,
            sitters.width,
        )

    def _group(self, kind: str, subject: Subject) -> str:
        """Specification, data and seed: what subjects that are measured together share."""
        member = subject.members[0]
        run = self._runs[member.run]
        drawn = self._library.key(self._job(run.id, member.condition))
        return canonical_json([kind, self._texts[member.condition], drawn, subject.seed])

    def _data(self, subject: Subject) -> Data:
        member = subject.members[0]
        return self._library.data(self._job(member.run, member.condition))

    def _job(self, run: str, condition: str) -> Job:
        own = self._plan[condition]
        return Job(
            self._runs[run], condition, own.spec, own.parameters, 0, (own.epochs,), self._plan.record, None
        )

    def _weights(self, subjects: Sequence[Subject]) -> dict[_Place, Weights]:
        """A run's result at its horizon, its weights as they were before it; each file is read once."""
        places = {
            (member.run, epoch, epoch == self._plan[member.condition].epochs): subject.key
            for subject in subjects
            for member in subject.members
            for epoch in member.epochs
        }
        ends: dict[_Place, int] = {}
        before: list[_Place] = []
        for place in places:
            run, epoch, result = place
            end = self._rows[run].at(epoch) if result and run in self._rows else None
            if end is None:
                before.append(place)
            else:
                ends[place] = end.epoch
        found: dict[_Place, Weights] = {}
        states = self._lab.load_states([(run, end) for (run, _, _), end in ends.items()])
        for place, state in zip(ends, states, strict=True):
            found[place] = Weights(place[1], *state.result())
        kept = self._lab.weights_of([(run, epoch) for run, epoch, _ in before])
        for place, weights in zip(before, kept, strict=True):
            found[place] = Weights(place[1], weights.weights, weights.buffers)
            if weights.epoch < place[1]:
                self.notes[places[place]] = (
                    f"a run had ended at epoch {weights.epoch}: its last weights stand in for later ones"
                )
        return found

    def _sitter(self, subject: Subject, weights: Mapping[_Place, Weights]) -> Sitter:
        members = tuple(
            tuple(
                weights[member.run, epoch, epoch == self._plan[member.condition].epochs]
                for epoch in member.epochs
            )
            for member in subject.members
        )
        return Sitter(subject.key, members, subject.same_start)
