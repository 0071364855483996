"""Faults planted in a copy of the core, one at a time: each must be caught.

Run with `make mutants`. `gatepost verify` goes first; what it does not see, the core's other tests
must. A copy without a fault must be green, or nothing here means anything. With words, only the
faults whose name contains them.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
AT_A_TIME = 2
TIMEOUT_S = 900
# The first two would only walk once more; and a picture of the table is no test of it.
LEFT_OUT = ("tests/core/test_safety.py", "tests/core/test_verify.py")


class Fault(NamedTuple):
    """A change of one place in a file of the core."""

    name: str
    file: str
    old: str
    new: str


# A file, and its faults: a name, what is taken away, and what takes its place.
FAULTS_TEXT = """\
# states.py
a release without an end
- (Signal.GO, ENTRY, Span.RELEASE_HOLD)
+ (Signal.GO, ENTRY)
still free for the second person
- State.ENTERING: Output(Signal.READY, NOBODY
+ State.ENTERING: Output(Signal.READY, ENTRY
the exit is not locked when its time is over
- State.EXIT_ENDING: Output(Signal.READY, NOBODY
+ State.EXIT_ENDING: Output(Signal.READY, EXIT
a fire frees the exit alone
- State.FIRE: Output(Signal.EVACUATE, ENTRY | EXIT)
+ State.FIRE: Output(Signal.EVACUATE, EXIT)
refused, and told to go
- State.REFUSED: Output(Signal.NO_ENTRY
+ State.REFUSED: Output(Signal.GO
a test of the wrong relay
- Tested.ENTRY_RELAY: Output(Signal.SERVICE, ENTRY
+ Tested.ENTRY_RELAY: Output(Signal.SERVICE, EXIT
a test without an end
- (Signal.SERVICE, NOBODY, Span.TEST),  #
+ (Signal.SERVICE),  #
out of service goes before a lock-down
-     Standing.LOCKDOWN: Mode(Trigger.LOCKDOWN, State.LOCKED, "lane.locked", "lane.unlocked"),
-     Standing.CLOSURE: Mode(Trigger.CLOSURE, State.CLOSED, "lane.closed", "lane.opened"),
+     Standing.CLOSURE: Mode(Trigger.CLOSURE, State.CLOSED, "lane.closed", "lane.opened"),
+     Standing.LOCKDOWN: Mode(Trigger.LOCKDOWN, State.LOCKED, "lane.locked", "lane.unlocked"),
the end of a fire told as a fire
- "fire.raised", "fire.cleared"
+ "fire.raised", "fire.raised"
# table.py
released without a record on the disk
- Trigger.NOT_RECORDED: Step(State.REFUSED)
+ Trigger.NOT_RECORDED: Step(State.RELEASED)
released before the record is written
- Trigger.ADMITTED: Step(State.DECIDING, ("visit.admitted",))
+ Trigger.ADMITTED: Step(State.RELEASED, ("visit.admitted",))
no fire while the exit is free
-     **_freed("passage.not_left"),
a fire is an emergency
- Trigger.FIRE: Step(State.FIRE, records)
+ Trigger.FIRE: Step(State.EMERGENCY, records)
the second person counts as entered
- (*records, "passage.tailgated")
+ (*records, "passage.entered")
an unconfirmed release counts as an entry
- Trigger.UNCONFIRMED: Step(State.CLEARING, ("passage.unconfirmed",))
+ Trigger.UNCONFIRMED: Step(State.CLEARING, ("passage.entered",))
the wrong way counts as an entry
- ("passage.not_entered", "passage.wrong_way")
+ ("passage.entered", "passage.wrong_way")
an entry that nobody walked through is told as nothing
- Trigger.TIMEOUT: Step(State.CLEARING, ("passage.not_entered",))
+ Trigger.TIMEOUT: Step(State.CLEARING)
a turn that begins at the last moment is forgotten
- Trigger.TIMEOUT: Step(State.EXIT_ENDING)
+ Trigger.TIMEOUT: Step(State.IDLE)
a pass is enough after staff was asked for
-         _closed(),
-         _freed(),
-         ignored=_PASSES | _TEST,
+         _closed(),
+         _freed(),
+         {Trigger.PASS_KNOWN: Step(State.MEASURING)},
+         ignored=_TEST,
an arm that is held open is not told
-             Trigger.ARM_RESTS: Step(State.CLEARING),
-             Trigger.TIMEOUT: Step(State.HELD, ("passage.held",)),
+             Trigger.ARM_RESTS: Step(State.CLEARING),
+             Trigger.TIMEOUT: Step(State.CLEARING),
who waits while somebody leaves is asked nothing
- Trigger.ARM_RESTS: Step(State.IDLE),
+ Trigger.ARM_RESTS: Step(State.CLEARING),
who goes away is forgotten without a word
- (State.IDLE, (_ABANDONED,))
+ (State.IDLE)
whoever steps up during the maintenance may be let in by staff
-         _EXIT,
-         _counted_nowhere(State.MAINTENANCE),
+         _EXIT,
+         _BY_STAFF,
+         _counted_nowhere(State.MAINTENANCE),
staff's word is not told
- ("entry.commanded",)
+ ()
# lane.py
late commands are obeyed
- if not command.at_s < command.expires_at_s:
+ if False:
a command without an end that is a number
- if not command.at_s < command.expires_at_s:
+ if command.at_s >= command.expires_at_s:
repeated commands are obeyed
- if command.id in served:
+ if command.id in ():
commands are not remembered
- served=(*served, (command.id, command.expires_at_s))
+ served=served
commands are forgotten with the next one
- served=(*served, (command
+ served=(*(), (command
endless commands are obeyed
- command.expires_at_s - command.at_s > MAX_COMMAND_S or len
+ len
commands out of place are obeyed
- if trigger is not None and trigger not in TABLE[lane.state].steps:
+ if False:
a test of nothing
- if (command.verb is Verb.TEST) != (command.tested is not None):
+ if False:
samples of the attempt before count
-             holder=visit.holder,
+             holder=visit.holder,
+             samples=visit.samples,
a visit begins with what was measured of another person
-         case Trigger.ARRIVED | Trigger.ARRIVED_TO_MEASURE:
-             lane = replace(lane, visit=Visit(lane.visit.number + 1))
+         case Trigger.ARRIVED | Trigger.ARRIVED_TO_MEASURE:
+             lane = replace(lane, visit=replace(lane.visit, number=lane.visit.number + 1))
a pass is shown, and the visit before goes on
-         return lane.visit
-     return Visit(lane.visit.number + 1)
+         return lane.visit
+     return replace(lane.visit, number=lane.visit.number + 1)
the exit is free in a lock-down that holds it
-  and not policy.exit_in_lockdown
+  and False
the centre cannot let out in a lock-down
- not held or lane.exit_wish.commanded_by is not None
+ not held
a wish to leave is granted again and again
- exit_wish=None, leaver=lane.exit_wish
+ leaver=lane.exit_wish
a wish to leave never lapses
-  and at_s < lane.exit_wish.until_s
a button pressed while it is free is a second person
-             lane.state is not State.LEAVING
+             True
a sample from before the attempt counts
-  and event.at_s > lane.entered_at_s
doubts come too late for the decision
- verdict = visit.verdict.distrusted(visit.distrust)
+ verdict = visit.verdict
a doubt is forgotten within the attempt
- distrust=distrust or lane.visit.distrust
+ distrust=distrust
a sensor that repeats itself may pass in the end
- .distrusted(visit.distrust).distrusted(Reason.FROZEN)
+ .distrusted(visit.distrust)
a pass that is inside goes on
- if objection is not None and objection.blocks:
+ if False:
under duress anti-passback holds
- None if holder.duress else shown.objection
+ shown.objection
a known pass in a lock-down
-     if lane.standing:
+     if False:
attempts without an end
- max(0, attempts - visit.attempt)
+ attempts
every attempt was near the limit
- visit.near_limit or verdict.zone is Zone.RECHECK
+ True
a turn is not remembered
- case Trigger.TURNED | Trigger.TAILGATED:
+ case Trigger.TAILGATED:
every later turn is forced
- at_s - lane.turned_at_s <= policy.tailgate_s
+ False
no turn is the wrong way
- if is_known and way is not free_for
+ if False
who walked is known without a contact
- is_blind = policy.passage is PassageSignal.NONE
+ is_blind = False
an ignored pass leaves its holder behind
-     if trigger is None:
+     if trigger is None or trigger in TABLE[lane.state].ignored:
each event moves the deadline
- (lane if step.to is lane.state else _enter(
+ (_enter(
letting go of staff's button lets in as well
- name=InputName.STAFF_RELEASE, active=True)
+ name=InputName.STAFF_RELEASE)
the deadline passes a tick too late
- at_s >= lane.deadline_at_s:
+ at_s > lane.deadline_at_s:
the thermometer's word is not kept
- return replace(lane, distrust=distrust, visit=visit), ()
+ return replace(lane, visit=visit), ()
staff's word is for the visit before
- if lane.state in _IN_A_VISIT else Visit(lane.visit.number + 1)
+ if True else Visit(0)
# rules.py
one look near the limit is enough
- case Zone.RECHECK if facts.near_limit_before:
+ case Zone.RECHECK if True:
above the limit passes at the second look
- case Zone.RECHECK if not facts.verdict.is_within(limit_c):
+ case Zone.RECHECK if False:
without information in at last
- return Decision(Outcome.REFER, ("R017", "ours"))
+ return Decision(Outcome.ADMIT, ("R017", "ours"))
a fever is turned away
- return Decision(Outcome.REFER, ("R001", "R006"))
+ return Decision(Outcome.DENY, ("R001", "R006"))
a fever is let in
- return Decision(Outcome.REFER, ("R001", "R006"))
+ return Decision(Outcome.ADMIT, ("R001", "R006"))
# passback.py
hard anti-passback does not block
-         case PassbackMode.HARD:
-             return Objection(ALREADY_INSIDE, blocks=True)
+         case PassbackMode.HARD:
+             return Objection(ALREADY_INSIDE, blocks=False)
nobody is ever inside
- if sighting.place is Place.OUTSIDE:
+ if sighting.place is not None:
a clock that went back blocks
- return 0 <= age_s < span_s
+ return age_s < span_s
the interval ends too late
- return 0 <= age_s < span_s
+ return 0 <= age_s <= span_s
who leaves has entered
- entered=None if sighting is None else sighting.entered
+ entered=now
the interval does not count
- return Objection(TOO_SOON, blocks=True)
+ return Objection(TOO_SOON, blocks=False)
"""


def faults() -> list[Fault]:
    """Return the faults of the text above."""
    found: list[Fault] = []
    file = ""
    for line in FAULTS_TEXT.splitlines():
        match line[:2]:
            case "# ":
                file = line[2:]
            case "- ":
                found[-1] = found[-1]._replace(old=f"{found[-1].old}\n{line[2:]}".lstrip("\n"))
            case "+ ":
                found[-1] = found[-1]._replace(new=f"{found[-1].new}\n{line[2:]}".lstrip("\n"))
            case _:
                found.append(Fault(line, file, old="", new=""))
    return found


class Result(NamedTuple):
    """What caught a fault, if anything did, and how long that took."""

    caught_by: str | None
    seconds: float


def main() -> int:
    began_s = time.perf_counter()
    control = tried(None)
    if control.caught_by is not None:
        print(f"a copy without a fault is not green: {control.caught_by}")
        return 1
    print(f"a copy without a fault is green ({control.seconds:.0f} s)\n")
    all_faults = [fault for fault in faults() if " ".join(sys.argv[1:]) in fault.name]
    print(f"{'fault':<62} {'file':<12} {'caught by':<44} seconds")
    survivors = 0
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        for fault, result in zip(all_faults, pool.map(tried, all_faults), strict=True):
            survivors += result.caught_by is None
            caught_by = result.caught_by or "NOTHING"
            print(
                f"{fault.name:<62} {fault.file:<12} {caught_by:<44} {result.seconds:7.1f}",
                flush=True,
            )
    seconds = time.perf_counter() - began_s
    print(f"\n{len(all_faults)} faults, {survivors} survived, {seconds:.0f} s")
    return 1 if survivors else 0


def tried(fault: Fault | None) -> Result:
    """Plant a fault in a copy of the firmware, and return what catches it there."""
    began_s = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        firmware = Path(folder) / "firmware"
        shutil.copytree(
            ROOT / "firmware/gatepost",
            firmware / "gatepost",
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        if fault is not None:
            planted(fault, firmware / "gatepost/core" / fault.file)
        caught_by = by_verify(firmware) or by_tests(firmware)
    return Result(caught_by, time.perf_counter() - began_s)


def planted(fault: Fault, path: Path) -> None:
    text = path.read_text()
    if text.count(fault.old) != 1:
        raise SystemExit(
            f"{fault.name}: what it replaces is {text.count(fault.old)} times in {path.name}"
        )
    path.write_text(text.replace(fault.old, fault.new))


def by_verify(firmware: Path) -> str | None:
    """Return the properties that the walk finds broken, None when it finds nothing."""
    where = python(firmware, "-c", "import gatepost.core.lane as m; print(m.__file__)").stdout
    if not where.startswith(str(firmware)):
        raise SystemExit(f"not the copy is checked, but {where}")
    try:
        done = python(firmware, "-m", "gatepost", "verify", "--json", "--first")
    except subprocess.TimeoutExpired:
        return "verify, which does not end"
    if done.returncode == 0 and json.loads(done.stdout)["violations"] == 0:
        return None
    broken = sorted(set(re.findall(r"^(S\d) is broken", done.stderr, re.MULTILINE)))
    return " ".join(broken) or f"verify: {done.stderr.strip().splitlines()[-1]}"


def by_tests(firmware: Path) -> str | None:
    """Return the first test of the core that fails, None when none does."""
    left_out = [f"--ignore={path}" for path in LEFT_OUT]
    options = ("-q", "-x", "-p", "no:cacheprovider", "--tb=no", "--no-header")
    try:
        done = python(firmware, "-m", "pytest", *options, *left_out, "tests/core")
    except subprocess.TimeoutExpired:
        return "tests, which do not end"
    if done.returncode == 0:
        return None
    failed = re.search(r"^(?:FAILED|ERROR) tests/core/(\S+)", done.stdout, re.MULTILINE)
    return failed[1] if failed else f"pytest: {done.stdout.strip().splitlines()[-1:]}"


def python(firmware: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the copy before what is installed."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(firmware),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(firmware / "hypothesis"),
    }
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


if __name__ == "__main__":
    sys.exit(main())
