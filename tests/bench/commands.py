"""What commands cost: from a letter to the relay, a look at the inbox, fsyncs, and a flood.

    .venv/bin/python tests/bench/commands.py

Real files on this machine's disk, and the loop on a simulated lane; what is measured is the time
that this machine takes, without the pauses between turns. The peer, in the same run, is the least
that a gate which forgets nothing must do: check a bare Ed25519 signature, and commit one row with
one fsync (SQLite, WAL, synchronous = FULL). Prints one object of JSON.
"""

import argparse
import json
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from statistics import median, quantiles

sys.path.append(str(Path(__file__).parents[2]))

from tests.scenario.commanded import OPERATOR, Commanded


def timed(action: Callable[[], object]) -> float:
    """Return how long something took, in seconds."""
    began_s = time.perf_counter()
    action()
    return time.perf_counter() - began_s


class Peer:
    """A bare signature and a durable row, in a file of its own."""

    def __init__(self, folder: Path) -> None:
        self._public, self._text = OPERATOR.public_key(), b"x" * 300
        self._signature = OPERATOR.sign(self._text)
        self._connection = sqlite3.connect(folder / "peer.db", isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("CREATE TABLE row (number INTEGER PRIMARY KEY)")

    def once(self) -> None:
        """Check the one and commit the other."""
        self._public.verify(self._signature, self._text)
        self._connection.execute("INSERT INTO row VALUES (NULL)")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def to_the_relay_s(gate: Commanded, peer: Peer, count: int) -> tuple[list[float], list[float], int]:
    """Return how long turns took that obeyed a release, the peer beside each, and the commits."""
    found, bare, commits = [], [], 0
    memory = gate.remote._memory  # type: ignore[union-attr]
    for _ in range(count):
        gate.put(gate.text("release_exit"))
        seen: list[str] = []
        memory._connection.set_trace_callback(seen.append)  # type: ignore[union-attr]
        before = sum(gate.pulses.values())
        while sum(gate.pulses.values()) == before:
            took_s = timed(gate.gate.turn)
            gate.watch()
        memory._connection.set_trace_callback(None)  # type: ignore[union-attr]
        found.append(took_s)
        bare.append(timed(peer.once))
        commits = max(commits, seen.count("COMMIT"))
        gate.play(20.0)
    return found, bare, commits


def look_us(gate: Commanded, count: int) -> float:
    """Return the median of a look into an inbox where nothing is new, in microseconds."""
    remote = gate.remote
    assert remote is not None

    def once() -> None:
        remote._look_at_s = 0.0
        remote.asked()

    return median(timed(once) for _ in range(count)) * 1e6


def turns_ms(gate: Commanded, letters: int) -> tuple[list[float], list[float]]:
    """Return how long turns take with nothing waiting, and with letters of nobody."""

    def turns(until: Callable[[], bool]) -> list[float]:
        found = []
        while not until():
            found.append(timed(gate.gate.turn) * 1e3)
        return found

    left = iter(range(letters))
    idle = turns(lambda: next(left, None) is None)
    gate.inbox.forget(gate.remote._memory.place[1])  # type: ignore[union-attr]
    last = [gate.put(b"x.y.z") for _ in range(letters)][-1]
    place = gate.remote._memory  # type: ignore[union-attr]
    assert place is not None
    return idle, turns(lambda: place.place[1] >= last)


def main() -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--folder", type=Path, help="on the disk that is to be measured")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        gate = Commanded(folder)
        try:
            with closing(Peer(folder)) as peer:
                relay, bare, commits = to_the_relay_s(gate, peer, args.count)
            bare_s = median(bare)
            idle, flooded = turns_ms(gate, 199)
            print(
                json.dumps(
                    {
                        "turn_that_obeys_ms": round(median(relay) * 1e3, 2),
                        "peer_ms": round(bare_s * 1e3, 2),
                        "ratio": round(median(relay) / bare_s, 2),
                        "commits_a_command": commits,
                        "look_us": round(look_us(gate, 500), 1),
                        "turn_idle_p99_ms": round(quantiles(idle, n=100)[98], 2),
                        "turn_flooded_median_ms": round(median(flooded), 2),
                        "turn_flooded_p99_ms": round(quantiles(flooded, n=100)[98], 2),
                    },
                    indent=1,
                )
            )
        finally:
            gate.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
