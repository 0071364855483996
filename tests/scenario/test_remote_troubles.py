"""What troubles commands: floods, clocks, and files that fail; the lane works on."""

import pytest

from gatepost_hal.ports import Direction
from gatepost_services.commands.command import ServerVerb
from gatepost_services.commands.memory import CommandMemoryError
from gatepost_services.inbox import Inbox

from .commanded import ADMINISTRATOR, STRANGER, Commanded
from .stage import WELL_C

ENTRY, EXIT = Direction
QUIET_S = 66.0  # a minute, and a housekeeping


@pytest.fixture
def gate(tmp_path):
    made = Commanded(tmp_path)
    yield made
    made.close()


def nothing_moved(gate) -> bool:
    gate.watch()
    return gate.pulses == {ENTRY: 0, EXIT: 0} and gate.drawer.run == []


# --------------------------------------------------------------------------------------- clocks


@pytest.mark.parametrize("quality", ["none", "restored"])
@pytest.mark.parametrize("verb", ServerVerb)
def test_without_a_trusted_clock_what_needs_one_is_refused(gate, quality, verb):
    gate.world.set_clock(quality=quality)
    args = {"erase": {"subject": "s"}, "replay": {"first": 1, "last": 1}}.get(verb.value, {})
    answer = gate.command(verb.value, ADMINISTRATOR, args=args)
    if verb.value in ("acknowledge", "replay"):
        assert answer["status"] == "done"
        assert answer["utc"] is None
    else:
        assert (answer["status"], answer["why"]) == ("refused", "clock_untrusted")
    gate.play(10.0)
    assert nothing_moved(gate)


@pytest.mark.parametrize("quality", ["rtc", "ntp"])
def test_with_a_battery_or_a_time_server_it_is_obeyed(gate, quality):
    gate.world.set_clock(quality=quality)
    assert gate.command("lock")["status"] == "done"


def test_a_gate_that_never_knew_the_time_obeys_nothing(tmp_path):
    def prepare(lane):
        lane.world.set_clock(quality="none")

    gate = Commanded(tmp_path, prepare=prepare)
    gate.remote._memory.since_s = None  # the fixture's first turn had a clock
    assert gate.command("acknowledge")["why"] == "no_memory"
    gate.close()


def test_a_clock_that_is_set_back_makes_nothing_act_again(gate):
    text = gate.text("release_entry")
    late = gate.text("release_exit")
    gate.answer(gate.put(text))
    gate.play(60.0)
    assert gate.answer(gate.put(late))["why"] == "expired"
    gate.world.set_clock(by_s=-60.0)
    assert gate.answer(gate.put(text))["status"] == "done"  # as it was
    assert gate.answer(gate.put(late))["why"] == "expired"  # as it was
    gate.play(60.0)
    assert gate.pulses == {ENTRY: 1, EXIT: 0}


# ------------------------------------------------------------------------------------------ floods


def test_letters_that_nobody_signed_are_counted_once_a_minute(gate):
    for _ in range(150):
        gate.put(b"x.y.z")
    last = gate.put(gate.text("release_entry", STRANGER))
    gate.answer(last, 30.0)
    gate.play(QUIET_S)
    told = gate.told("command.refused")
    assert [each["why"] for each in told] == ["not_authentic"] * len(told)
    assert sum(each["count"] for each in told) == 151
    assert len(told) <= 2
    assert nothing_moved(gate)


def test_what_can_be_sent_again_and_again_is_counted_too(gate):
    elsewhere = gate.text("lock", aud="/gatepost/s/h")
    gate.command("lock", jti="same")
    reused = gate.text("unlock", jti="same")
    for _ in range(40):
        gate.put(elsewhere)
        last = gate.put(reused)
    gate.answer(last, 30.0)
    gate.play(QUIET_S)
    told = gate.told("command.refused")
    assert len(told) <= 4
    counts = dict.fromkeys(("wrong_gate", "id_reused"), 0)
    for each in told:
        counts[each["why"]] += each["count"]
    assert counts == {"wrong_gate": 40, "id_reused": 40}


def test_a_command_among_letters_of_nobody_is_obeyed_soon(gate):
    for _ in range(100):
        gate.put(b"x.y.z")
    letter = gate.put(gate.text("release_entry"))
    for _ in range(90):
        gate.put(b"x.y.z")
    began_s = gate.world.now_s()
    assert gate.answer(letter)["status"] == "done"
    assert gate.world.now_s() - began_s < 1.0
    gate.play(5.0)
    assert len(gate.answered()) == 191
    assert gate.pulses[ENTRY] == 1


def test_a_flood_does_not_keep_the_lane_from_working(gate):
    for _ in range(199):
        gate.put(b"x.y.z")
    gate.screen(WELL_C)
    assert gate.pulses[ENTRY] == 1


# ------------------------------------------------------------------------------------------ faults


def faults(gate) -> list[str]:
    gate.play(30.0)
    return [each for each in gate.faults if "commands" in each]


def test_a_link_that_never_ran_is_no_fault(gate):
    gate.inbox.close()
    for path in gate.folder.glob("inbox.db*"):
        path.unlink()
    assert faults(gate) == []


def test_an_inbox_that_cannot_be_read_is_one_until_it_can(gate):
    gate.inbox.close()
    path = gate.folder / "inbox.db"
    for each in gate.folder.glob("inbox.db*"):
        each.unlink()
    path.write_bytes(b"not a database" * 1000)
    assert faults(gate) == ["raised commands"]
    gate.inbox = Inbox.open(path)
    assert faults(gate) == ["raised commands", "cleared commands"]


def test_without_a_memory_nothing_is_obeyed(tmp_path):
    gate = Commanded(tmp_path, remembering=lambda _path: None)
    gate.remote._problem = "cannot be had"  # as `centre` says it
    gate.put(gate.text("release_entry"))
    assert faults(gate) == ["raised commands"]
    assert nothing_moved(gate)
    gate.close()


@pytest.mark.parametrize("broken", ["begin", "refuse", "end"])
def test_a_memory_that_cannot_be_written_obeys_nothing_new(gate, broken):
    memory = gate.remote._memory
    works = getattr(memory, broken)

    def fails(*_arguments):
        raise CommandMemoryError("the disk is full")

    setattr(memory, broken, fails)
    text = gate.text("release_entry")
    gate.put(text)
    gate.put(gate.text("restart"))  # it is refused, where that can be noted
    assert "raised commands" in faults(gate)
    assert gate.pulses[ENTRY] == (0 if broken == "begin" else 1)
    setattr(memory, broken, works)
    assert faults(gate)[-1] == "cleared commands"
    expected = {"begin": "expired", "end": "interrupted", "refuse": None}[broken]
    assert gate.answer(1).get("why") == expected
    gate.play(60.0)
    assert gate.pulses[ENTRY] == (0 if broken == "begin" else 1)
    assert len(gate.told("command.refused")) <= 2
