"""What a lab knows about its runs, and their states and weights in its files."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from gradlab.errors import StoreError
from gradlab.store.queries import Queries
from gradlab.store.rows import Ending, Kept, RunRow
from gradlab.store.weights import unpack

if TYPE_CHECKING:
    from gradlab.train.state import State

__all__ = ["States"]


class States(Queries):
    """The runs of a lab with their checkpoints, ends and snapshots; its arguments are those of `Queries`."""

    def ids(self) -> list[str]:
        """The ids of all runs, sorted."""
        return [row[0] for row in self._rows("SELECT id FROM run ORDER BY id")]

    def known(self, ids: Iterable[str] | None = None) -> dict[str, RunRow]:
        """What is known about some runs, or about all.

        Args:
            ids: Run ids; all runs if not given.

        Returns:
            One row for each run that the lab has heard of.
        """
        rows: dict[str, RunRow] = {}
        wanted = self.ids() if ids is None else list(ids)
        endings: dict[str, dict[int, Ending]] = {}
        for run, *ending in self._in(
            "SELECT run.id, e.epoch, e.reason, record.declaration, e.weights, e.updates FROM ending e "
            "JOIN run ON run.number = e.run JOIN record ON record.number = e.record WHERE run.id IN ({})",
            wanted,
        ):
            endings.setdefault(run, {})[ending[0]] = Ending(*ending)
        checkpoints: dict[str, dict[int, str]] = {}
        for run, epoch, record in self._in(
            "SELECT run.id, c.epoch, record.declaration FROM checkpoint c JOIN run ON run.number = c.run "
            "JOIN record ON record.number = c.record WHERE run.id IN ({})",
            wanted,
        ):
            checkpoints.setdefault(run, {})[epoch] = record
        snapshots: dict[str, set[int]] = {}
        if self._has("snapshot"):
            for run, epoch in self._in(
                "SELECT run.id, s.epoch FROM snapshot s JOIN run ON run.number = s.run WHERE run.id IN ({})",
                wanted,
            ):
                snapshots.setdefault(run, set()).add(epoch)
        for row in self._in(
            "SELECT id, state, epoch, reason, attempts, backend FROM run WHERE id IN ({})", wanted
        ):
            rows[row[0]] = RunRow(
                *row,
                endings=endings.get(row[0], {}),
                checkpoints=checkpoints.get(row[0], {}),
                snapshots=frozenset(snapshots.get(row[0], ())),
            )
        return rows

    def load_state(self, run: str, epoch: int | None = None) -> State:
        """The stored state of one run.

        Args:
            run: The run's id.
            epoch: One of the epochs in `RunRow.checkpoints`; the last if not given.

        Returns:
            The state, with arrays that the caller owns.

        Raises:
            StoreError: There is no such checkpoint, or its file is missing or damaged.
        """
        return self.load_states([(run, epoch)])[0]

    def load_states(self, wanted: Sequence[tuple[str, int | None]]) -> list[State]:
        """The stored states of many runs; a file that holds several of them is read once.

        Args:
            wanted: Run ids and epochs; `None` is the last epoch.

        Returns:
            The states, in the order asked for.

        Raises:
            StoreError: One of them is not there, or its file is missing or damaged.
        """
        for last_try in (False, False, True):
            try:
                return self._load(wanted)
            except StoreError:  # a writer may have replaced the file since its row was read
                if last_try:
                    raise
                time.sleep(0.01)
        raise AssertionError("unreachable")

    def weights_at(self, run: str, epoch: int) -> Kept:
        """The weights of one run at an epoch: one of its snapshots or ends, or any where it had stopped or diverged.

        Args:
            run: The run's id.
            epoch: The epoch; 0 is before training.

        Returns:
            The weights and buffers, with arrays that the caller owns, and the epoch they are of.

        Raises:
            StoreError: They were not kept, or their file is missing or damaged.
        """
        return self.weights_of([(run, epoch)])[0]

    def weights_of(self, wanted: Sequence[tuple[str, int]]) -> list[Kept]:
        """`weights_at` for many; a file that holds several of them is read once.

        Args:
            wanted: Run ids and epochs.

        Returns:
            The weights, in the order asked for.

        Raises:
            StoreError: One of them was not kept, or its file is missing or damaged.
        """
        known = self.known(dict.fromkeys(run for run, _ in wanted))
        states: dict[tuple[str, int], State] = {}
        snapshots: list[tuple[str, int]] = []
        ends: list[tuple[str, int]] = []
        for run, epoch in dict.fromkeys(wanted):
            row = known.get(run)
            end = None if row is None else row.at(epoch)
            if row is not None and epoch in row.snapshots:
                snapshots.append((run, epoch))
            elif end is not None:
                ends.append((run, end.epoch))
            else:
                raise StoreError(
                    f"the lab {self.folder} has not kept the weights of run {run} at epoch {epoch}"
                )
        states |= dict(zip(snapshots, self._load(snapshots, "snapshot"), strict=True))
        states |= dict(zip(ends, self.load_states(ends), strict=True))
        kept: list[Kept] = []
        for run, epoch in wanted:
            row = known[run]
            end = row.at(epoch)
            at = epoch if epoch in row.snapshots or end is None else end.epoch
            state = states[run, at]
            buffers = {n: b.copy() for n, b in state.buffers.items() if not n.startswith("best.")}
            kept.append(Kept(state.weights.copy(), buffers, at))
        return kept

    def sound(
        self, wanted: Iterable[tuple[str, int]], table: Literal["checkpoint", "snapshot"] = "checkpoint"
    ) -> set[tuple[str, int]]:
        """Which checkpoints or snapshots are there and undamaged; each file is read and hashed once.

        Args:
            wanted: Run ids and epochs.
            table: Which of the two.

        Returns:
            Those that `load_states` or `weights_of` will find.
        """
        asked = set(wanted)
        files: dict[tuple[int, str], list[tuple[str, int]]] = {}
        if not asked or not self._has(table):
            return set()
        for run, epoch, file, sha256 in self._in(
            f"SELECT run.id, c.epoch, file, sha256 FROM {table} c JOIN run ON run.number = c.run "
            "JOIN weights USING (file) WHERE run.id IN ({})",
            sorted({run for run, _ in asked}),
        ):
            files.setdefault((file, sha256), []).append((run, epoch))
        sound: set[tuple[str, int]] = set()
        for (file, sha256), members in files.items():
            if asked.isdisjoint(members):
                continue
            try:
                self._read_weights(file, sha256)
            except StoreError:
                continue
            sound.update(asked.intersection(members))
        return sound

    def _load(self, wanted: Sequence[tuple[str, int | None]], table: str = "checkpoint") -> list[State]:
        places: dict[str, dict[int, tuple[int, str, int]]] = {}
        for run, epoch, *place in self._in(
            f"SELECT run.id, c.epoch, file, sha256, member FROM {table} c JOIN run ON run.number = c.run "
            "JOIN weights USING (file) WHERE run.id IN ({})",
            sorted({run for run, _ in wanted}),
        ):
            places.setdefault(run, {})[epoch] = (place[0], place[1], place[2])
        by_file: dict[tuple[int, str], list[tuple[int, int]]] = {}
        for index, (run, epoch) in enumerate(wanted):
            stored = places.get(run, {})
            chosen = max(stored, default=-1) if epoch is None else epoch
            if chosen not in stored:
                raise StoreError(f"the lab {self.folder} has no {table} of run {run} at epoch {chosen}")
            file, sha256, member = stored[chosen]
            by_file.setdefault((file, sha256), []).append((index, member))
        states: dict[int, State] = {}
        for (file, sha256), members in by_file.items():
            data = self._read_weights(file, sha256)
            for (index, _), state in zip(members, unpack(data, [m for _, m in members]), strict=True):
                states[index] = state
        return [states[index] for index in range(len(wanted))]

    def _read_weights(self, file: int, sha256: str) -> bytes:
        from hashlib import sha256 as fingerprint

        path = self.folder / "weights" / f"{file:08d}.safetensors"
        try:
            data = path.read_bytes()
        except OSError as error:
            raise StoreError(f"the checkpoint {path} cannot be read ({error.strerror})") from error
        if fingerprint(data).hexdigest() != sha256:
            raise StoreError(f"the checkpoint {path} is damaged (its SHA-256 is not the stored one)")
        return data
