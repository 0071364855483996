"""Power cuts: the whole gate on a disk that loses what was not flushed, again and again.

    .venv/bin/python -m tests.hil.powercut --cycles 500 --seed 1

A cycle is one boot of the guest on one disk (`lossy_disk`), which lives on from cycle to cycle; of
ten boots nine begin at the instant before the disk (`snapshot`).
First the guest tells what the last cut left (`inside/powercut_verdict`); then gate, link and a
faster writer work (`inside/powercut_load`), and at a moment left to chance the power goes. Broker
and server are outside, on this machine. Held against the gate is all that came out
(`powercut_ledger`). Ends with status 1 when anything of it does not hold.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

from .build import NoGuestError, guest
from .machine import GuestError
from .powercut_bench import COLD_EACH, Bench, PowerCutError
from .snapshot import Guests


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cycles", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--control", choices=("nobarrier", "nosync"), default="")
    parser.add_argument("--cold-each", type=int, default=COLD_EACH, help="boot all of it so often")
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no cycle after so many")
    chosen = parser.parse_args()
    began_s = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="gatepost-powercut-"))
    try:
        guests = Guests(guest(), folder / "snapshot")
        with Bench(
            guests,
            folder,
            seed=chosen.seed,
            control=chosen.control,
            cold_each=chosen.cold_each,
        ) as bench:
            try:
                while (
                    bench.cycles < chosen.cycles
                    and time.monotonic() - began_s < chosen.minutes * 60
                ):
                    bench.cycle()
                    print(f"\rcycle {bench.cycles} of {chosen.cycles}", end="", file=sys.stderr)
                bench.settle()
            finally:
                seconds = time.monotonic() - began_s
                print(file=sys.stderr)
                print(json.dumps({**bench.figures(), "seconds": round(seconds)}))
    except (PowerCutError, GuestError, NoGuestError) as error:
        print(error, file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
