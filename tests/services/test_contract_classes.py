"""Every type of event that the gate writes has its class, and no class is of a type nobody writes.

The types are collected from the source: by what stands where a type must stand, not by running it.
"""

import ast
from pathlib import Path

import pytest

import gatepost
import gatepost_services
from gatepost.core.lane import _UNTOLD
from gatepost.core.states import MODES
from gatepost.core.table import TABLE
from gatepost_services.contract.classes import CLASS_OF, class_of
from gatepost_services.journal import Entry
from gatepost_services.journal.gaps import GAP_TYPE
from gatepost_services.journal.keeper import CORRUPT_TYPE
from gatepost_services.record import EventClass

FIRMWARE = Path(gatepost.__file__).parent
SERVICES = Path(gatepost_services.__file__).parent
# Where the type of a record is no literal: of a command, a mode, a step, and of what is told anew.
COMPUTED = {
    "core/telling.py": 1,
    "core/levels.py": 1,
    "core/lane.py": 1,
    "gate/recorder.py": 1,
    "wiring/documents.py": 1,
}
# The journal's own.
OWN = {"journal.gap", "store.corrupt"}
# The link's: it is never written, and goes out in the place of what cannot be sent.
STAND_IN = {"journal.withheld"}


def calls(folder: Path, function: str) -> list[tuple[str, ast.expr]]:
    """Return the first argument of every call of a function, with the file that it stands in."""
    found = []
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and node.args:
                name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func
                name = name.id if isinstance(name, ast.Name) else name
                if name == function:
                    found.append((path.relative_to(folder).as_posix(), node.args[0]))
    return found


def literals(folder: Path, function: str) -> set[str]:
    values = [value for _, value in calls(folder, function)]
    return {value.value for value in values if isinstance(value, ast.Constant)}


def written() -> set[str]:
    """Return every type that the firmware writes."""
    makers = ("Record", "command_record", "_record")
    types = {type_ for maker in makers for type_ in literals(FIRMWARE, maker)}
    types |= {mode.begun for mode in MODES.values()} | {mode.over for mode in MODES.values()}
    steps = [step for row in TABLE.values() for step in row.steps.values()]
    return types | {type_ for step in steps for type_ in step.records} | set(_UNTOLD.values())


def test_every_type_that_the_firmware_writes_has_its_class_and_no_row_is_unused():
    assert set(CLASS_OF) == written() | OWN | STAND_IN


def test_the_types_are_found_where_they_are_no_literals_either():
    found: dict[str, int] = {}
    for path, value in calls(FIRMWARE, "Record"):
        if not isinstance(value, ast.Constant):
            found[path] = found.get(path, 0) + 1
    assert found == COMPUTED


def test_the_journals_own_types_are_those_that_the_services_stamp():
    names = literals(SERVICES, "stamp") | literals(SERVICES, "_stamp")
    assert names | {CORRUPT_TYPE} == OWN
    assert literals(SERVICES / "contract", "Entry") == STAND_IN
    assert GAP_TYPE in OWN


@pytest.mark.parametrize("type_", sorted(CLASS_OF))
def test_every_classed_type_is_one_that_an_entry_may_have(type_):
    assert Entry(type_, 0.0, 0.0, {}).type == type_
    assert class_of(type_) is CLASS_OF[type_]


def test_what_somebody_must_look_at_is_an_alarm():
    alarms = {type_ for type_, event_class in CLASS_OF.items() if event_class is EventClass.ALARM}
    levels = ("fire", "emergency", "tamper")
    assert {f"{each}.{edge}" for each in levels for edge in ("raised", "cleared")} <= alarms
    assert {"visit.referred", "duress.shown", "passage.forced", "controller.failed"} <= alarms
    # Without these a server would take what it has for all there was.
    assert OWN | {"journal.late", "journal.lost"} <= alarms


def test_a_type_that_nobody_has_classed_is_as_urgent_as_a_decision():
    assert class_of("some.thing") is EventClass.LIVE
