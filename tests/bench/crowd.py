"""Tells stories of unruly people at a gate that fails and dies, and checks what the log says.

`python tests/bench/crowd.py --people 10000 --seed 1`. Each story is a site of its own with some
people, and repeats from its number alone. Exit status 1 when one of them is wrong.
"""

import argparse
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
story = import_module("tests.scenario.story")  # of the tests: it is no package of the product

PEOPLE_A_STORY = 50


def tell(seed: int, people: int, number: int) -> tuple[int, Any]:
    """Play one story; return its number and what became of it."""
    return number, story.play(f"{seed}/{number}", people)


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--story", type=int, help="only this one, with --people of them")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    return parser.parse_args()


def main() -> int:
    """Tell all the stories; return 1 when one is wrong."""
    asked = arguments()
    if asked.story is None:
        numbers = range(-(-asked.people // PEOPLE_A_STORY))
        each = min(asked.people, PEOPLE_A_STORY)
    else:
        numbers, each = range(asked.story, asked.story + 1), asked.people
    began_s = time.perf_counter()
    counts: Counter[str] = Counter()
    sites: Counter[tuple[object, ...]] = Counter()
    lived_s, wrong = 0.0, 0
    with ProcessPoolExecutor(asked.jobs) as pool:
        for number, told in pool.map(partial(tell, asked.seed, each), numbers):
            counts += told.counts
            sites[told.site] += 1
            lived_s += told.lasted_s
            wrong += bool(told.wrong)
            complain(asked.seed, each, number, told)
    took_s = time.perf_counter() - began_s
    report(counts, lived_s)
    print(
        f"{len(numbers) * each} people in {len(numbers)} stories on {len(sites)} different sites, "
        f"{lived_s / 3600:.1f} h of simulated time in {took_s:.0f} s; {wrong} stories are wrong"
    )
    return 1 if wrong else 0


def complain(seed: int, people: int, number: int, told: Any) -> None:
    """Print what is wrong with a story, and how to play it again."""
    if told.wrong:
        print("WRONG:", told.site)
        print("   ", "\n    ".join(told.wrong))
        print("   ", story.AGAIN.format(people=people, seed=seed, number=number))


def report(counts: Counter[str], lived_s: float) -> None:
    """Print the balance."""
    print("\nwhat the gate did and what became of it")
    for way in ("entry", "exit"):
        releases, outcomes = counts[f"releases of the {way}"], counts[f"outcomes of the {way}"]
        died = counts[f"outcomes of the {way} that died with the process"]
        print(
            f"  {way}: {releases} releases = {outcomes} outcomes + {died} that died with a process"
        )
    print(
        f"  ({counts['outcomes that the disk refused']} of the outcomes were refused by the disk)"
    )
    ends = ("kills", "hangs", "crashes", "ends in good order")
    print("  ends of the process:", ", ".join(f"{counts[name]} {name}" for name in ends))
    print(f"  one end every {lived_s / max(1, sum(counts[name] for name in ends)):.0f} s")
    for title, is_one in (
        ("who really walked, by the turnstile", lambda name: name.startswith(("entry ", "exit "))),
        ("what is on the disk", lambda name: "." in name),
    ):
        print(f"\n{title}")
        for name in sorted(filter(is_one, counts)):
            print(f"  {counts[name]:>7} {name}")
    print()


if __name__ == "__main__":
    sys.exit(main())
