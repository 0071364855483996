"""Runs inside the root, with the package's Python: fills the journal as a busy year would.

    fill.py EVENTS

Prints the number and the hash of the last.
"""

import sys
from pathlib import Path

from gatepost_services.contract.events import Envelope
from gatepost_services.journal import Entry, Journal

_JOURNAL = Path("/var/lib/gatepost/gate/journal.db")
_TOGETHER = 1000


def main() -> None:
    """Append as many events as the argument says."""
    count = int(sys.argv[1])
    # A day before the package's own files: nothing is too old to be kept.
    began_utc_s = Path(__file__).stat().st_mtime - 86_400.0
    sealer = Envelope("example-court", "north-1", "0d1c7f0e-5a52-4a3e-9b0f-0f0f5d1b8a11")
    journal = Journal(_JOURNAL, sealer)
    try:
        for first in range(0, count, _TOGETHER):
            journal.append(
                Entry(
                    "exit.released",
                    number * 0.5,
                    began_utc_s + number * 0.5,
                    {"direction": "exit", "subject": f"subject-{number % 2000}"},
                    "ntp",
                )
                for number in range(first, min(first + _TOGETHER, count))
            )
        print(journal.state.last_seq, journal.state.head.hex())
    finally:
        journal.close()


if __name__ == "__main__":
    main()
