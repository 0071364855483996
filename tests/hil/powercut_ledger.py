"""What came out of the guest, held against what a power cut left. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# Events that say that something was lost; others may tell of a slow disk, which this one is.
_LOSSES = ("journal.gap", "journal.lost", "store.corrupt")
_LOST_FILES = ("journal", "roster", "whereabouts", "standing")

Row = Sequence[Any]  # number and hash of an event


class Book:
    """One journal: each number that was ever seen, its hash, and which must still be there."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.hashes: dict[int, str] = {}
        self.held: set[int] = set()
        self.acknowledged = self.lost = 0
        self.last_seq = self.pruned = 0

    def acknowledge(self, rows: Iterable[Row]) -> list[str]:
        """Note that these are durable, said outside of the guest; return what is wrong with it."""
        problems = []
        for seq, digest in rows:
            if seq not in self.hashes:
                self.acknowledged += 1
            problems += self._see(seq, digest)
            self.held.add(seq)
        return problems

    def check(self, found: Mapping[str, Any] | None, server_has: int) -> list[str]:
        """Return what is wrong with a journal after a cut, of which the server has so much."""
        if found is None:
            found = {"rows": [], "pruned": 0, "last_seq": 0, "delivered_seq": 0}
        problems = []
        rows = dict(found["rows"])
        pruned = found["pruned"]
        for name in ("pruned", "delivered_seq"):
            if found[name] > server_has:
                text = f"{name} is {found[name]}, and the server has {server_has}"
                problems.append(f"{self.name}: {text}")
        if found.get("why") and self.held:
            problems.append(f"{self.name}: cannot be read: {found['why']}")
        lost = sorted(seq for seq in self.held - rows.keys() if seq > min(pruned, server_has))
        if lost:
            self.lost += len(lost)
            text = f"lost {len(lost)} acknowledged events, {lost[0]} to {lost[-1]}"
            problems.append(f"{self.name}: {text}; it ends at {found['last_seq']}")
        for seq, digest in rows.items():
            problems += self._see(seq, digest)
        # What is read after a cut stands on the platter.
        self.held = set(rows)
        self.last_seq, self.pruned = found["last_seq"], pruned
        return problems

    def _see(self, seq: int, digest: str) -> list[str]:
        if self.hashes.setdefault(seq, digest) == digest:
            return []
        return [f"{self.name}: number {seq} was given to two events"]


class Ledger:
    """Both journals and all other files of the gate, and `problems`: whatever was not as it must.

    Numbers that only grow are held by their highest, the standing orders by the last one that was
    confirmed, or any that was asked for since.
    """

    def __init__(self) -> None:
        self.books = {name: Book(name) for name in ("gate", "load")}
        self.problems: list[str] = []
        self.recoveries = self.verdicts = self.at_rest = 0
        self.states: dict[str, float] = {}  # the least that each must be
        self.boot_ids: set[str] = set()
        self._drawn: set[str] = set()
        self._mount_failure = ""
        self._standing: list[list[str]] = [[]]
        self._kinds = {
            "mounting": self._mounting,
            "durable": self._durable,
            "stands": self._stands,
            "wanted": self._wanted,
            "mounted": self._mounted,
            "at_rest": self._at_rest,
            "problem": lambda told: self.problems.append(told["what"]),
        }

    def take(self, told: Mapping[str, Any]) -> None:
        """Take one thing that the guest told; the verdict goes to `judge`."""
        if (kind := self._kinds.get(told["tell"])) is not None:
            kind(told)

    def take_mount_failure(self) -> str:
        """Return why the disk could not be mounted since the last call, "" if it could."""
        failure, self._mount_failure = self._mount_failure, ""
        return failure

    def receive(self, seq: int, digest: str, type_: str, data: Mapping[str, object]) -> None:
        """Take an event that the server received."""
        self.problems += self.books["gate"].acknowledge([(seq, digest)])
        kind = type_.removeprefix("gatepost.")
        if kind in _LOSSES or (kind == "fault.raised" and data.get("fault") in _LOST_FILES):
            self.problems.append(f"event {seq} is {kind}: {dict(data)}")

    def judge(self, verdict: Mapping[str, Any], server_has: Mapping[str, int]) -> None:
        """Hold a verdict against all that was told; `server_has` is by journal."""
        self.verdicts += 1
        self.problems += verdict["problems"]
        for name, book in self.books.items():
            self.problems += book.check(verdict["journals"][name], server_has[name])
        states = dict(verdict["states"])
        standing = states.pop("standing")
        if standing not in self._standing:
            self.problems.append(f"standing is {standing}, and must be of {self._standing}")
        self._standing = [standing]
        for name, floor in self.states.items():
            if states.get(name, -1) < floor:
                self.problems.append(f"{name} is {states.get(name)}, and was {floor}")
        self.states = states

    def _durable(self, told: Mapping[str, Any]) -> None:
        self.problems += self.books[told["journal"]].acknowledge(told["events"])

    def _stands(self, told: Mapping[str, Any]) -> None:
        states = dict(told["states"])
        if (standing := states.pop("standing", None)) is not None:
            self._standing = [standing]
        for name, value in states.items():
            self.states[name] = max(value, self.states.get(name, value))

    def _wanted(self, told: Mapping[str, Any]) -> None:
        self._standing.append(told["states"]["standing"])

    def _mounting(self, told: Mapping[str, Any]) -> None:
        """Each boot is one of its own, also where a saved guest was restored."""
        if told["boot_id"] in self.boot_ids:
            self.problems.append(f"two boots have the id {told['boot_id']}")
        self.boot_ids.add(told["boot_id"])
        self.problems += [f"two boots drew {each}" for each in told["drawn"] if each in self._drawn]
        self._drawn.update(told["drawn"])

    def _mounted(self, told: Mapping[str, Any]) -> None:
        if told["failure"]:
            self._mount_failure = f"the disk cannot be mounted: {told['failure']}"
            return
        self.recoveries += any("recovery" in line for line in told["kernel"])
        self.problems += [line for line in told["kernel"] if "error" in line.lower()]

    def _at_rest(self, told: Mapping[str, Any]) -> None:
        self.at_rest += 1
        if not (told["is_at_rest"] and told["has_claimed"]) or any(told["levels"]):
            self.problems.append(f"a relay was not at rest after the start: {dict(told)}")
