"""The centre's durable subscriber: a process of its own that only notes what arrives, and when.

    python -m saf.collector PORT FILE

appends one row an event to FILE: the instant (CLOCK_MONOTONIC), the number, whether it was flagged
as repeated.
"""

import subprocess
import sys
import time
from pathlib import Path
from struct import Struct
from typing import NamedTuple, Self

from saf import mqtt
from saf.events import number_of

CLIENT_ID = "collector"
_ROW = Struct("<dqq")
_TRY_AGAIN_S = 0.01


class Arrival(NamedTuple):
    """An event at the subscriber: when (monotonic seconds), which, and its DUP flag."""

    at_s: float
    number: int
    is_repeated: int


def register(port: int, topic: str) -> None:
    """Make the broker keep events for the collector from now on."""
    connection = mqtt.connect(port, CLIENT_ID, clean=False)
    mqtt.subscribe(connection, topic)
    mqtt.disconnect(connection)


class Collector:
    """The running subscriber, and what it has noted so far."""

    def __init__(self, port: int, folder: Path) -> None:
        path = folder / "arrivals"
        path.touch()
        self._file = path.open("rb")
        self._rest = b""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "saf.collector", str(port), str(path)],
            cwd=Path(__file__).parents[1],
        )
        self.arrivals: list[Arrival] = []
        self.numbers: set[int] = set()

    def look(self) -> int:
        """Take in what has arrived since; return how many that were, repeated ones too."""
        data = self._rest + self._file.read()
        whole = len(data) - len(data) % _ROW.size
        self._rest = data[whole:]
        fresh = [Arrival(*row) for row in _ROW.iter_unpack(data[:whole])]
        self.arrivals += fresh
        self.numbers.update(arrival.number for arrival in fresh)
        return len(fresh)

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def main(port: int, path: Path) -> None:
    """Collect until killed."""
    with path.open("ab", buffering=0) as file:
        while True:
            try:
                connection = mqtt.connect(port, CLIENT_ID, clean=False)
            except OSError:
                time.sleep(_TRY_AGAIN_S)  # the centre comes up at this moment
                continue
            connection.settimeout(None)
            try:
                for found in mqtt.arrivals(connection):
                    now_s = time.monotonic()
                    file.write(
                        b"".join(
                            _ROW.pack(now_s, number_of(payload), repeated)
                            for _, payload, repeated in found
                        )
                    )
            except OSError:
                connection.close()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
