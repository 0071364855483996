"""Store-and-forward, ours beside what others use: what is lost, what comes twice, and how fast.

Each peer accepts events while the centre is down and is then left alone, killed, killed twice, or
cut off from power (the package saf tells how). They take turns, so that a noisy machine disturbs
all of them alike. Exit status 1 when what must hold does not. Run with `make bench`; root is needed
to cut the power, and without it that scenario is left out.
"""

import argparse
import sys
from pathlib import Path

from saf import disk, lineup, syncs, tables
from saf.processes import EdgeError, leave_in_order
from saf.scenario import Outcome, Scenario, run

from gatepost.demo.broker import SEARCH_PATH


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--scenario", default=",".join(Scenario), help="some of them, with commas")
    parser.add_argument("--peers", default=",".join(lineup.NAMES), help="some, with commas")
    parser.add_argument("--json", type=Path, help="a file for every run, one object a line")
    asked = parser.parse_args()
    asked.scenarios = [Scenario(name) for name in asked.scenario.split(",")]
    asked.names = asked.peers.split(",")
    if unknown := set(asked.names) - lineup.NAMES.keys():
        parser.error(f"no peer {', '.join(unknown)}; there are {', '.join(lineup.NAMES)}")
    return asked


def available(names: list[str]) -> list[lineup.Peer]:
    """Return the peers that can be had, and say which cannot."""
    found = []
    for name in names:
        try:
            found.append(lineup.peer(name))
        except lineup.Unavailable as error:
            print(f"without {name}: {error}")
    return found


def possible(scenarios: list[Scenario]) -> list[Scenario]:
    """Return the scenarios that this machine allows, and say which it does not."""
    if Scenario.POWER_CUT in scenarios and not disk.power_can_be_cut():
        print(f"without {Scenario.POWER_CUT}: needs root, mkfs.ext4 and a loop device")
        return [scenario for scenario in scenarios if scenario is not Scenario.POWER_CUT]
    return scenarios


def print_syncs(peers: list[lineup.Peer]) -> None:
    """Print how many fsyncs an event costs each."""
    print(f"\nfsyncs an event (strace, {syncs.EVENTS:,} events, the start among them)")
    for peer in peers:
        try:
            count = syncs.per_event(peer)
        except EdgeError as error:
            print(f"  {peer.title:<52} {error}")
            continue
        if count is None:
            print("  not counted: no strace here (apt-get install strace)")
            return
        print(f"  {peer.title:<52} {count:7.3f}", flush=True)


def play(
    peers: list[lineup.Peer], scenarios: list[Scenario], asked: argparse.Namespace
) -> list[Outcome]:
    """Play every scenario with every peer, in turns."""
    outcomes = []
    for round_number in range(asked.runs):
        for scenario in scenarios:
            for peer in peers:
                is_bare = peer.name == lineup.OURS and scenario is not Scenario.POWER_CUT
                tell(f"round {round_number + 1} of {asked.runs}, {scenario}, {peer.name}")
                outcomes.append(run(peer, scenario, asked.events, measure_bare=is_bare))
                if asked.json is not None:
                    tables.write_json(outcomes, asked.json)
    tell("")
    return outcomes


def tell(progress: str) -> None:
    """Show where we are to whoever looks on."""
    if sys.stderr.isatty():
        print(f"\r{progress:<60}\r", end="", file=sys.stderr, flush=True)


def main() -> int:
    """Return 1 when something that must hold does not."""
    leave_in_order()
    asked = arguments()
    if lineup.mosquitto(SEARCH_PATH) is None:
        print("no mosquitto, which is the centre here: apt-get install mosquitto")
        return 1
    peers, scenarios = available(asked.names), possible(asked.scenarios)
    outcomes = play(peers, scenarios, asked)
    print(f"{asked.events:,} events accepted while the centre is down, {asked.runs} runs:", end="")
    print(" of lost, twice and out of order the worst, else medians")
    for scenario in scenarios:
        print("\n" + "\n".join(tables.scenario_table(outcomes, scenario)), flush=True)
    print("\n" + "\n".join(tables.ratios(outcomes)))
    if (accepting := tables.accepting(outcomes)) is not None:
        print(f"  {accepting}")
    print_syncs(peers)
    third_party = [peer.name for peer in peers if peer.is_third_party]
    verdicts = tables.verdicts(outcomes, lineup.WINDOW, third_party)
    print("\nmust hold")
    for holds, text in verdicts:
        print(f"  {'PASS' if holds else 'FAIL'}  {text}")
    return 0 if all(holds for holds, _ in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
