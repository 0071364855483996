"""Commands of the central server at a whole gate: obeyed once, or refused in words; answered."""

import json

import pytest

from gatepost.core.states import Standing
from gatepost_hal.ports import Direction, InputName
from gatepost_services.commands.judge import Why
from gatepost_services.commands.jws import Kind

from .commanded import (
    ADMINISTRATOR,
    AUDITOR,
    OPERATOR,
    PASSES,
    SOURCE,
    STRANGER,
    Commanded,
    signed,
)
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


# -------------------------------------------------------------------------------------- obeyed


@pytest.mark.parametrize(("verb", "way"), [("release_entry", ENTRY), ("release_exit", EXIT)])
def test_a_release_frees_its_way_once(gate, verb, way):
    answer = gate.command(verb)
    assert answer["status"] == "done"
    assert (answer["id"], answer["verb"]) == ("c-1", verb)
    assert answer["utc"].endswith("Z")
    gate.play(60.0)
    assert gate.pulses == {way: 1, (EXIT if way is ENTRY else ENTRY): 0}
    (obeyed,) = gate.told("command.obeyed")
    assert (obeyed["command"], obeyed["by"], obeyed["verb"]) == ("c-1", "anna", verb)


def test_lock_and_unlock_close_and_open(gate):
    for verb, standing in (
        ("lock", {Standing.LOCKDOWN}),
        ("unlock", set()),
        ("close", {Standing.CLOSURE}),
        ("open", set()),
    ):
        assert gate.command(verb)["status"] == "done"
        assert gate.gate.lane.standing == standing
    assert gate.pulses == {ENTRY: 0, EXIT: 0}


@pytest.mark.parametrize(
    ("verb", "arguments", "ran"),
    [
        ("identify", {}, "identify"),
        ("restart", {}, "restart"),
        ("erase", {"subject": "s-9"}, "erase s-9"),
    ],
)
def test_an_errand_is_run_once_and_recorded(gate, verb, arguments, ran):
    answer = gate.command(verb, ADMINISTRATOR, args=arguments)
    assert (answer["status"], answer["verb"], answer["state"]) == ("done", verb, "idle")
    assert gate.drawer.run == [ran]
    (obeyed,) = gate.told("command.obeyed")
    assert obeyed == {"command": "c-1", "verb": verb, "by": "anna"}


def test_an_acknowledgement_is_done(gate):
    assert gate.command("acknowledge")["status"] == "done"


def test_a_replay_is_allowed_and_the_answer_says_what(gate):
    answer = gate.command("replay", AUDITOR, args={"first": 3, "last": 9})
    assert answer["status"] == "done"
    assert answer["replay"] == {"first": 3, "last": 9}
    assert nothing_moved(gate)


def test_an_errand_that_fails_is_told_as_refused(gate):
    gate.drawer.why_not = "the roster cannot be read"
    answer = gate.command("erase", ADMINISTRATOR, args={"subject": "s-9"})
    assert (answer["status"], answer["why"]) == ("refused", "failed")
    (refused,) = gate.told("command.refused")
    assert refused["detail"] == "the roster cannot be read"


def test_several_commands_are_obeyed_in_their_order(gate):
    letters = [gate.put(gate.text(verb)) for verb in ("lock", "unlock", "close")]
    answers = [gate.answer(letter) for letter in letters]
    assert [answer["verb"] for answer in answers] == ["lock", "unlock", "close"]
    assert gate.gate.lane.standing == {Standing.CLOSURE}


def test_who_stands_in_the_lane_is_let_in_by_a_command(gate):
    gate.step_up(WELL_C)
    assert gate.command("release_entry")["status"] == "done"
    assert gate.pulses[ENTRY] == 1


# ------------------------------------------------------------------------------------- refused


@pytest.mark.parametrize("verb", ["identify", "restart"])
def test_what_disturbs_waits_for_nobody(gate, verb):
    gate.step_up(WELL_C)
    answer = gate.command(verb, ADMINISTRATOR)
    assert (answer["status"], answer["why"], answer["state"]) == (
        "refused",
        "not_now",
        "awaiting_pass",
    )
    gate.walk_off()
    gate.play(60.0)
    assert gate.drawer.run == []


def test_in_a_fire_no_release_is_obeyed(gate):
    gate.touch(InputName.FIRE, active=True)
    gate.play(1.0)
    answer = gate.command("release_entry")
    assert (answer["status"], answer["why"]) == ("refused", "not_now")


REFUSED = {
    "another gate": ({"aud": "/gatepost/s/h"}, OPERATOR, Why.WRONG_GATE),
    "malformed": ({"exp": 1}, OPERATOR, Why.MALFORMED),
    "no right": ({"verb": "restart"}, OPERATOR, Why.NOT_AUTHORISED),
    "an auditor": ({}, AUDITOR, Why.NOT_AUTHORISED),
    "a key for passes": ({}, PASSES, Why.UNKNOWN_KEY),
    "a stranger": ({}, STRANGER, Why.UNKNOWN_KEY),
    "too long": ({"exp": "+601"}, OPERATOR, Why.WINDOW_TOO_LONG),
    "too early": ({"nbf": "+60", "exp": "+90"}, OPERATOR, Why.NOT_YET_VALID),
    "late": ({"nbf": "-60", "exp": "-0"}, OPERATOR, Why.EXPIRED),
    "from before": ({"nbf": "-60"}, OPERATOR, Why.NO_MEMORY),
}


@pytest.mark.parametrize(("changed", "key", "why"), REFUSED.values(), ids=REFUSED)
def test_a_refused_command_moves_nothing_now_or_later(gate, changed, key, why):
    now_s = gate.now_s()
    changed = {
        name: now_s + int(value) if str(value)[0] in "+-" else value
        for name, value in changed.items()
    }
    text = signed({**gate.claims("release_entry"), **changed}, key)
    answer = gate.answer(gate.put(text))
    assert (answer["status"], answer["why"]) == ("refused", why.value)
    assert answer["detail"]
    gate.play(120.0)  # in which its time would come
    again = gate.answer(gate.put(text))
    assert again["status"] == "refused"
    gate.play(10.0)
    assert nothing_moved(gate)
    assert gate.told("command.obeyed") == []
    assert len(gate.told("command.refused")) >= 1


def test_a_letter_of_another_kind_is_no_command(gate):
    claims = gate.claims("release_entry")
    for kind in (Kind.DESIRED, Kind.HEAD):
        answer = gate.answer(gate.put(signed(claims, OPERATOR, kind)))
        assert (answer["status"], answer["why"]) == ("refused", "malformed")
    assert gate.answer(gate.put(gate.text("release_entry"), kind="odd"))["status"] == "done"
    assert gate.pulses[ENTRY] == 1


def test_without_a_record_nothing_is_done(gate):
    gate.log.broken = True
    for verb in ("release_entry", "identify", "restart"):
        answer = gate.command(verb, ADMINISTRATOR)
        assert (answer["status"], answer["why"]) == ("refused", "no_record")
    gate.log.broken = False
    gate.play(60.0)
    assert nothing_moved(gate)


# --------------------------------------------------------------------------------- again, and late


def test_the_same_command_twice_acts_once_and_answers_alike(gate):
    text = gate.text("release_entry")
    letters = [gate.put(text) for _ in range(3)]
    for letter in letters:
        gate.answer(letter)
    gate.play(60.0)
    gate.restart()
    letters.append(gate.put(text))
    gate.answer(letters[-1])
    gate.play(60.0)
    assert len({gate.answered()[letter] for letter in letters}) == 1
    assert gate.pulses[ENTRY] == 1
    assert len(gate.told("command.obeyed")) == 1


def test_a_refused_one_answers_alike_too(gate):
    text = gate.text("restart")
    letters = [gate.put(text), gate.put(text)]
    for letter in letters:
        gate.answer(letter)
    assert len({gate.answered()[letter] for letter in letters}) == 1
    assert len(gate.told("command.refused")) <= 1


def test_another_command_under_the_same_id_is_refused(gate):
    gate.command("lock", jti="same")
    answer = gate.command("unlock", jti="same")
    assert (answer["status"], answer["why"], answer["id"]) == ("refused", "id_reused", "same")
    assert gate.gate.lane.standing == {Standing.LOCKDOWN}
    again = gate.command("unlock", jti="same", by="berta")
    assert again["why"] == "id_reused"


def test_a_counter_that_was_passed_is_refused(gate):
    gate.command("lock", counter=50)
    answer = gate.command("unlock", counter=50)
    assert (answer["status"], answer["why"]) == ("refused", "replayed")
    assert "50" in answer["detail"]
    assert gate.command("unlock", ADMINISTRATOR, counter=1)["status"] == "done"  # its own count
    assert gate.command("lock", counter=51)["status"] == "done"


def test_a_command_for_a_gate_that_was_off_does_nothing_and_answers_expired(gate):
    text = gate.text("release_entry")
    gate.life.end()
    letter = gate.put(text)
    gate.world.advance(31.0)
    gate.restart()
    answer = gate.answer(letter)
    assert (answer["status"], answer["why"]) == ("refused", "expired")
    gate.play(60.0)
    assert nothing_moved(gate)


def test_one_whose_time_passes_while_the_disk_is_slow_does_nothing(gate):
    memory = gate.remote._memory
    begin = memory.begin

    def slowly(case):
        begin(case)
        gate.world.advance(31.0)

    memory.begin = slowly
    letter = gate.put(gate.text("release_entry"))
    answer = gate.answer(letter)
    assert (answer["status"], answer["why"]) == ("refused", "expired")
    gate.play(10.0)
    assert nothing_moved(gate)
    assert [each["why"] for each in gate.told("command.refused")] == ["expired"]


# -------------------------------------------------------------------------------------- documents


DESIRED = {
    "document": "regime",
    "version": 3,
    "digest": "0" * 64,
    "bytes": 10,
    "aud": SOURCE,
    "iat": 1,
}


def test_a_desired_document_is_offered(gate):
    letter = gate.put(signed(DESIRED, ADMINISTRATOR, Kind.DESIRED), "desired")
    assert gate.answer(letter) == {"id": None, "status": "taken"}
    (offered,) = gate.drawer.offered
    assert json.loads(offered) == DESIRED


def test_one_that_the_desk_does_not_take_is_answered_so(gate):
    gate.drawer.why_not = "not_newer"
    letter = gate.put(signed(DESIRED, ADMINISTRATOR, Kind.DESIRED), "desired")
    assert gate.answer(letter) == {"id": None, "status": "refused", "why": "not_newer"}


@pytest.mark.parametrize(
    ("content", "key", "kind", "why"),
    [
        (DESIRED, OPERATOR, Kind.DESIRED, "not_authorised"),
        (DESIRED, AUDITOR, Kind.DESIRED, "not_authorised"),
        (DESIRED, STRANGER, Kind.DESIRED, "unknown_key"),
        (DESIRED, ADMINISTRATOR, Kind.COMMAND, "malformed"),
    ],
)
def test_one_that_does_not_count_is_not_offered(gate, content, key, kind, why):
    answer = gate.answer(gate.put(signed(content, key, kind), "desired"))
    assert (answer["status"], answer["why"]) == ("refused", why)
    assert gate.drawer.offered == []
