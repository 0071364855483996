"""Commands: each acts once, in its time, or not at all, and is always answered."""

import math
from dataclasses import replace

import pytest

from gatepost.core import events
from gatepost.core.events import Command, Verb
from gatepost.core.lane import MAX_COMMAND_S, output_of, release_s
from gatepost.core.signals import Signal
from gatepost.core.states import State
from gatepost_hal.ports import Direction

Outputs = events.Tested  # by its own name pytest would take it for a test
# What each verb does, and where.
VERBS = {
    Verb.RELEASE_ENTRY: ("", State.DECIDING),
    Verb.RELEASE_EXIT: ("", State.LEAVING),
    Verb.LOCK: ("", State.LOCKED),
    Verb.UNLOCK: ("lock", State.IDLE),
    Verb.CLOSE: ("", State.CLOSED),
    Verb.OPEN: ("close", State.IDLE),
    Verb.BEGIN_MAINTENANCE: ("", State.MAINTENANCE),
    Verb.END_MAINTENANCE: ("begin_maintenance", State.IDLE),
    Verb.TEST: ("key", State.TESTING),
}
NOTHING, BOTH = frozenset(), frozenset(Direction)
TESTS = {
    Outputs.ENTRY_RELAY: (Signal.SERVICE, {Direction.ENTRY}),
    Outputs.EXIT_RELAY: (Signal.SERVICE, {Direction.EXIT}),
    Outputs.GREEN_LAMP: (Signal.TEST_GREEN, NOTHING),
    Outputs.AMBER_LAMP: (Signal.TEST_AMBER, NOTHING),
    Outputs.RED_LAMP: (Signal.TEST_RED, NOTHING),
    Outputs.BUZZER: (Signal.TEST_BUZZER, NOTHING),
}
# Where a person stands for whom staff can answer, or may come to stand; the arm is free for none.
STAFF_MAY_LET_IN = {
    State.IDLE,
    State.AWAITING_PASS,
    State.MEASURING,
    State.PAUSING,
    State.REFUSED,
    State.REFERRED,
    State.CLEARING,
    State.HELD,
    State.FORCED,
    State.LOCKED,
    State.CLOSED,
    State.TAMPER,
}


def named(verb):
    return Outputs.BUZZER if verb is Verb.TEST else None


def refused(walk, before, told):
    """Return why a command was refused; but for its id, nothing else may have come of it."""
    assert told == ["command.refused"]
    assert replace(walk.lane, served=before.served) == before
    return walk.records[-1].data["why"]


@pytest.mark.parametrize("verb", Verb)
def test_a_command_does_what_its_verb_says_and_is_answered(verb, walk):
    words, state = VERBS[verb]
    walk.does(words)
    told = walk.commands(verb, named(verb), id_="0815", by="desk-2")
    assert walk.state is state
    assert told.count("command.obeyed") == 1
    answer = {"command": "0815", "verb": verb.value, "by": "desk-2"}
    answer |= {"tested": "buzzer"} if verb is Verb.TEST else {}
    assert walk.data("command.obeyed") == answer


@pytest.mark.parametrize("verb", Verb)
@pytest.mark.parametrize("lasts_s", [0.0, -0.001, -3600.0, -math.inf])
def test_a_late_command_does_nothing(lasts_s, verb, walk):
    walk.does(VERBS[verb][0])
    before = walk.lane
    assert refused(walk, before, walk.commands(verb, named(verb), lasts_s=lasts_s)) == "late"


@pytest.mark.parametrize("verb", Verb)
@pytest.mark.parametrize("lasts_s", [MAX_COMMAND_S + 0.1, math.inf])
def test_a_command_without_an_end_in_sight_does_nothing(lasts_s, verb, walk):
    walk.does(VERBS[verb][0])
    why = refused(walk, walk.lane, walk.commands(verb, named(verb), lasts_s=lasts_s))
    assert why == "too_many_or_too_long"


@pytest.mark.parametrize("verb", [Verb.RELEASE_ENTRY, Verb.RELEASE_EXIT])
def test_a_command_whose_end_is_no_number_does_nothing(verb, walk):
    assert refused(walk, walk.lane, walk.commands(verb, lasts_s=math.nan)) == "late"


def test_an_hour_is_not_too_long(walk):
    at_s = walk.next_s()
    told = walk.feed(Command(at_s, "id", Verb.LOCK, "centre", at_s + MAX_COMMAND_S))
    assert told == ["command.obeyed", "lane.locked"]


@pytest.mark.parametrize("verb", Verb)
def test_a_repeated_command_does_nothing(verb, walk):
    walk.does(VERBS[verb][0])
    walk.commands(verb, named(verb), id_="0815")
    before = walk.lane
    assert refused(walk, before, walk.commands(verb, named(verb), id_="0815")) == "repeated"


def test_a_repeated_release_frees_nothing_after_the_first_one_is_over(walk):
    walk.commands(Verb.RELEASE_ENTRY, id_="0815", lasts_s=60.0)
    walk.does("written passage passage_ends")
    assert walk.state is State.IDLE
    walk.commands(Verb.RELEASE_ENTRY, id_="0815", lasts_s=60.0)
    assert (walk.state, walk.types[-1]) == (State.IDLE, "command.refused")


def test_one_id_is_one_command_whatever_it_says_the_second_time(walk):
    walk.commands(Verb.LOCK, id_="0815")
    before = walk.lane
    assert refused(walk, before, walk.commands(Verb.UNLOCK, id_="0815")) == "repeated"


def test_a_repeated_lock_does_not_lock_again_what_was_unlocked_since(walk):
    walk.commands(Verb.LOCK, id_="0815")
    walk.does("unlock")
    walk.commands(Verb.LOCK, id_="0815")
    assert walk.state is State.IDLE


def test_a_repeated_command_is_known_as_long_as_it_could_act(walk):
    expires_at_s = walk.now_s + 30.0
    command = Command(walk.next_s(), "0815", Verb.RELEASE_EXIT, "centre", expires_at_s)
    walk.feed(command)
    walk.does("passage passage_ends")
    for at_s, why in ((expires_at_s - 0.001, "repeated"), (expires_at_s, "late")):
        assert refused(walk, walk.lane, walk.feed(command._replace(at_s=at_s))) == why


def test_a_command_that_was_refused_stays_refused_when_it_is_repeated(walk):
    walk.to(State.RELEASED).commands(Verb.RELEASE_ENTRY, id_="0815", lasts_s=60.0)
    walk.does("passage passage_ends leaves")
    walk.commands(Verb.RELEASE_ENTRY, id_="0815", lasts_s=60.0)
    assert (walk.state, walk.types[-1]) == (State.IDLE, "command.refused")


def test_a_refused_repetition_does_not_take_the_place_of_the_first_one(walk):
    walk.commands(Verb.LOCK, id_="0815")
    for _ in range(3):
        walk.commands(Verb.LOCK, id_="0815")
    assert [id_ for id_, _ in walk.lane.served] == ["0815"]


def test_too_many_commands_at_once_do_nothing(walk):
    for _ in range(64):
        assert "command.obeyed" in walk.commands(Verb.UNLOCK, lasts_s=100.0)
    before = walk.lane
    assert refused(walk, before, walk.commands(Verb.LOCK)) == "too_many_or_too_long"


def test_commands_that_have_expired_make_room_for_others(walk):
    for _ in range(64):
        walk.commands(Verb.UNLOCK, lasts_s=100.0)
    walk.waits(100.0)
    assert walk.commands(Verb.LOCK) == ["command.obeyed", "lane.locked"]
    assert len(walk.lane.served) == 1


def test_a_flood_of_commands_keeps_nobody_in_and_no_fire_out(walk):
    for _ in range(70):
        walk.commands(Verb.UNLOCK, lasts_s=100.0)
    assert walk.does("exit_button") == ["exit.released"]
    assert walk.does("fire") == ["passage.not_left", "fire.raised"]


def test_a_test_of_nothing_does_nothing(walk):
    walk.does("key")
    assert refused(walk, walk.lane, walk.commands(Verb.TEST)) == "malformed"


@pytest.mark.parametrize("verb", [verb for verb in Verb if verb is not Verb.TEST])
def test_a_command_that_names_an_output_to_no_purpose_does_nothing(verb, walk):
    walk.does(VERBS[verb][0])
    assert refused(walk, walk.lane, walk.commands(verb, Outputs.ENTRY_RELAY)) == "malformed"


# ------------------------------------------------------------------------------ tests


@pytest.mark.parametrize("output", Outputs)
def test_a_test_is_of_that_output_alone_and_for_a_moment(output, walk):
    signal, releases = TESTS[output]
    walk.does("key")
    told = walk.commands(Verb.TEST, output)
    assert told == ["maintenance.tested", "command.obeyed"]
    assert walk.data("maintenance.tested") == {"tested": output.value}
    does = output_of(walk.lane)
    assert (does.signal, does.releases, release_s(does, walk.policy)) == (signal, releases, 3.0)
    walk.waits(2.9)
    assert walk.state is State.TESTING
    walk.waits(0.1)
    assert walk.state is State.MAINTENANCE
    assert output_of(walk.lane).releases == NOTHING


def test_a_tested_relay_gets_the_pulse_that_a_release_gets(new_walk, policy):
    walk = new_walk(policy=replace(policy, pulse_s=0.5)).to(State.TESTING)
    assert release_s(output_of(walk.lane), walk.policy) == 0.5


@pytest.mark.parametrize("state", [state for state in State if state is not State.MAINTENANCE])
def test_outputs_are_tested_in_maintenance_only_and_one_at_a_time(state, walk):
    before = walk.to(state).lane
    assert refused(walk, before, walk.commands(Verb.TEST, Outputs.EXIT_RELAY)) == "not_now"


@pytest.mark.parametrize(
    ("begin", "over"), [("key", "key_over"), ("begin_maintenance", "end_maintenance")]
)
def test_a_test_ends_with_the_maintenance(begin, over, walk):
    walk.does(f"{begin} test_entry_relay {over}")
    assert (walk.state, output_of(walk.lane).releases) == (State.IDLE, NOTHING)


@pytest.mark.parametrize(
    ("word", "state"),
    [("lock", State.LOCKED), ("close", State.CLOSED), ("tamper", State.TAMPER)],
)
def test_a_test_ends_in_the_mode_that_stands_below(word, state, walk):
    walk.does(f"{word} key test_exit_relay key_over")
    assert (walk.state, output_of(walk.lane).releases) == (state, NOTHING)


def test_a_fire_ends_a_test_and_the_maintenance_stands_again_after_it(walk):
    walk.to(State.TESTING).does("fire")
    assert output_of(walk.lane).releases == BOTH
    walk.does("fire_over")
    assert (walk.state, output_of(walk.lane).releases) == (State.MAINTENANCE, NOTHING)


def test_the_output_of_an_earlier_test_is_forgotten(walk):
    walk.does("key test_entry_relay deadline test_buzzer")
    assert output_of(walk.lane).releases == NOTHING
    assert walk.data("maintenance.tested") == {"tested": "buzzer"}


# ---------------------------------------------------------------------------- release of the entry


@pytest.mark.parametrize("state", State)
def test_staff_lets_in_where_the_arm_is_free_for_nobody_else(state, walk):
    before = walk.to(state).lane
    told = walk.commands(Verb.RELEASE_ENTRY)
    if state in STAFF_MAY_LET_IN:
        assert told == ["entry.commanded", "command.obeyed"]
        assert walk.state is State.DECIDING
    else:
        assert refused(walk, before, told) == "not_now"


@pytest.mark.parametrize("state", State)
def test_the_button_of_staff_here_does_the_same(state, walk):
    before = walk.to(state).lane
    told = walk.does("staff")
    if state in STAFF_MAY_LET_IN:
        assert (told, walk.state) == (["entry.commanded"], State.DECIDING)
    else:
        assert (told, walk.lane) == ([], before)


def test_a_commanded_release_waits_for_its_record_on_disk(walk):
    walk.does("release_entry")
    assert output_of(walk.lane).releases == NOTHING
    walk.does("written")
    assert output_of(walk.lane).releases == {Direction.ENTRY}


def test_a_commanded_release_whose_record_cannot_be_written_frees_nothing(walk):
    walk.does("arrives release_entry not_written")
    assert walk.state is State.REFUSED
    walk.does("written passage")
    assert "passage.entered" not in walk.types


@pytest.mark.parametrize(("word", "by"), [("staff", "staff"), ("release_entry", "centre")])
def test_who_released_an_entry_is_told_until_it_is_over(word, by, walk):
    walk.does(f"arrives {word} written passage")
    told = {"visit": 1, "direction": "entry", "subject": None, "category": None, "by": by}
    assert walk.data("entry.commanded") == walk.data("passage.entered") == told


@pytest.mark.parametrize("words", ["arrives shows_pass", "arrives shows_pass fever"])
def test_the_visit_of_a_person_goes_on_by_the_word_of_staff(words, walk):
    walk.does(f"{words} staff written deadline deadline")
    for type_ in ("entry.commanded", "passage.not_entered"):
        data = walk.data(type_)
        assert (data["visit"], data["subject"], data["by"]) == (1, "subject-1", "staff")


def test_who_was_referred_and_is_let_in_leaves_no_second_decision(walk):
    walk.does("arrives shows_pass fever staff written passage")
    assert walk.types == ["visit.referred", "entry.commanded", "passage.entered"]
    assert "outcome" not in walk.data("passage.entered")


@pytest.mark.parametrize("words", ["", "arrives shows_pass cool written passage passage_ends"])
def test_staff_begins_a_visit_where_there_is_none(words, walk):
    walk.does(words)
    before = walk.lane.visit.number
    walk.does("staff")
    assert (walk.lane.visit.number, walk.lane.visit.holder) == (before + 1, None)


def test_the_word_of_staff_is_for_one_person(walk):
    walk.does("arrives staff written passage passage_ends shows_pass cool")
    assert walk.state is State.DECIDING
    assert "by" not in walk.data("visit.admitted")
    walk.does("written passage")
    assert "by" not in walk.data("passage.entered")


# ---------------------------------------------------------------------------- release of the exit


def test_a_remote_exit_tells_who_commanded_it(walk):
    walk.commands(Verb.RELEASE_EXIT, by="desk-2")
    walk.does("passage")
    told = {"direction": "exit", "by": "desk-2"}
    assert walk.data("exit.released") == walk.data("passage.left") == told


@pytest.mark.parametrize(("lasts_s", "released"), [(3.0, False), (9.0, True), (60.0, True)])
def test_a_remote_exit_that_has_to_wait_expires(lasts_s, released, walk):
    walk.to(State.ENTERING).commands(Verb.RELEASE_EXIT, lasts_s=lasts_s)
    walk.waits(5.0)
    walk.does("passage_ends")
    assert ("exit.released" in walk.types) is released


def test_a_remote_exit_waits_no_longer_than_any_other_wish(walk):
    walk.to(State.ENTERING).commands(Verb.RELEASE_EXIT, lasts_s=600.0)
    walk.waits(10.1)
    walk.does("passage_ends")
    assert "exit.released" not in walk.types
