"""Which commands count: each reason not to, their order, and that none acts twice."""

import json
from datetime import timedelta

import msgspec
import pytest

from gatepost_services.commands.command import (
    LAWS,
    MAX_LONG_WINDOW_S,
    MAX_WINDOW_S,
    MOST_REPLAYED,
    CommandFormError,
    Role,
    ServerVerb,
    parse_command,
)
from gatepost_services.commands.judge import (
    SKEW_S,
    Authentic,
    Refused,
    Why,
    is_over,
    objection,
    read_command,
)
from gatepost_services.commands.jws import Kind
from gatepost_services.commands.remedies import REMEDIES
from gatepost_services.credentials.keys import by_id
from gatepost_services.credentials.signing import kid_of

from .command_kit import (
    ADMINISTRATOR,
    AUDITOR,
    DAY,
    NOW,
    NOW_S,
    OPERATOR,
    PASSES,
    SOURCE,
    STRANGER,
    claims,
    judged,
    raw_text,
    signed_text,
    trusted,
)

ARGUMENTS = {
    ServerVerb.ERASE: {"subject": "s-1"},
    ServerVerb.REPLAY: {"first": 1, "last": 9},
}
STAFF = {Role.OPERATOR, Role.ADMINISTRATOR}
WHO_MAY = {
    **dict.fromkeys(ServerVerb, STAFF),
    ServerVerb.RESTART: {Role.ADMINISTRATOR},
    ServerVerb.ERASE: {Role.ADMINISTRATOR},
    ServerVerb.REPLAY: {Role.ADMINISTRATOR, Role.AUDITOR},
}
NEEDS_NO_CLOCK = {ServerVerb.ACKNOWLEDGE, ServerVerb.REPLAY}


def command(**changed):
    return parse_command(msgspec.json.encode(claims(**changed)))


def why(found) -> Why | None:
    return found.why if isinstance(found, Refused) else None


def against(made, roles=frozenset(STAFF), **changed) -> Why | None:
    around = {"highest": 0, "now_utc": NOW, "known_since_s": 0, **changed}
    found = objection(made, roles, **around)
    return found and found[0]


# ----------------------------------------------------------------------------------- whose it is


@pytest.mark.parametrize(
    ("key", "role"),
    [
        (OPERATOR, Role.OPERATOR),
        (ADMINISTRATOR, Role.ADMINISTRATOR),
        (AUDITOR, Role.AUDITOR),
    ],
)
def test_a_key_has_the_roles_of_its_uses(key, role):
    found = judged(signed_text(key))
    assert isinstance(found, Authentic)
    assert found.roles == {role}


def test_a_key_may_have_several_roles():
    both = by_id([trusted(OPERATOR, "operator", "auditor", "pass")])
    assert judged(signed_text(), keys=both).roles == {Role.OPERATOR, Role.AUDITOR}


@pytest.mark.parametrize("key", [PASSES, STRANGER])
def test_a_key_without_a_role_is_unknown_whatever_it_signs(key):
    assert why(judged(signed_text(key))) is Why.UNKNOWN_KEY


def test_without_a_trust_list_nobody_commands():
    assert why(judged(signed_text(), keys={})) is Why.UNKNOWN_KEY


def test_another_key_under_the_id_of_a_known_one_is_no_good():
    text = signed_text()
    other = signed_text(STRANGER)
    forged = text.rpartition(b".")[0] + b"." + other.rpartition(b".")[2]
    found = judged(forged)
    assert why(found) is Why.BAD_SIGNATURE
    assert not found.is_authentic


def test_of_two_keys_with_one_id_the_one_that_signed_has_its_roles_alone():
    kid = kid_of(OPERATOR.public_key())
    same = by_id([trusted(ADMINISTRATOR, "administrator", kid=kid), trusted(OPERATOR, "operator")])
    assert judged(signed_text(), keys=same).roles == {Role.OPERATOR}


@pytest.mark.parametrize(
    ("changed", "counts"),
    [
        ({"not_after_utc": NOW}, True),
        ({"not_after_utc": NOW - timedelta(seconds=1)}, False),
        ({"not_before_utc": NOW}, True),
        ({"not_before_utc": NOW + timedelta(seconds=1)}, False),
    ],
)
def test_a_key_counts_in_its_time_and_always_without_a_clock(changed, counts):
    keys = by_id([trusted(OPERATOR, "operator", **changed)])
    assert why(judged(signed_text(), keys=keys)) is (None if counts else Why.UNKNOWN_KEY)
    assert why(judged(signed_text(), keys=keys, now_utc=None)) is None


@pytest.mark.parametrize("made", Kind)
@pytest.mark.parametrize("wanted", Kind)
def test_one_kind_is_not_taken_for_another(made, wanted):
    found = judged(signed_text(kind=made), kind=wanted)
    assert why(found) is (None if made is wanted else Why.MALFORMED)


def test_what_is_no_signed_text_is_malformed():
    assert why(judged(b"open the gate")) is Why.MALFORMED


# --------------------------------------------------------------------------------- what it says


def read(text: bytes):
    found = judged(text)
    assert isinstance(found, Authentic)
    return read_command(found, SOURCE)


def test_a_command_is_read():
    found = read(signed_text(verb="erase", args={"subject": "s-1"}))
    assert (found.verb, found.by, found.arguments().subject) == (ServerVerb.ERASE, "anna", "s-1")


@pytest.mark.parametrize(
    "aud", ["/gatepost/north/gate-2", "/gatepost/north", "/gatepost/north/gate-1/", "north/gate-1"]
)
def test_a_command_for_another_gate_says_so(aud):
    found = read(signed_text(aud=aud))
    assert why(found) is Why.WRONG_GATE
    assert found.is_authentic
    assert aud in found.detail


WRONG = {
    "no jti": {"jti": None},
    "empty jti": {"jti": ""},
    "jti with a slash": {"jti": "a/b"},
    "jti with a line end": {"jti": "a\n"},
    "jti too long": {"jti": "a" * 65},
    "jti a number": {"jti": 7},
    "no aud": {"aud": None},
    "aud a list": {"aud": [SOURCE]},
    "no exp": {"exp": None},
    "exp a text": {"exp": str(NOW_S + 30)},
    "exp with a fraction": {"exp": NOW_S + 30.5},
    "exp at nbf": {"exp": NOW_S},
    "exp before nbf": {"exp": NOW_S - 1},
    "exp far beyond": {"exp": 10**12},
    "exp below zero": {"nbf": -2, "exp": -1},
    "no nbf": {"nbf": None},
    "no iat": {"iat": None},
    "no counter": {"counter": None},
    "counter zero": {"counter": 0},
    "counter below zero": {"counter": -1},
    "counter that JSON cannot hold": {"counter": 2**53},
    "counter true": {"counter": True},
    "no verb": {"verb": None},
    "unknown verb": {"verb": "release"},
    "verb in capitals": {"verb": "LOCK"},
    "no by": {"by": None},
    "empty by": {"by": ""},
    "by with a line end": {"by": "anna\nroot"},
    "by too long": {"by": "a" * 65},
    "another member": {"role": "administrator"},
    "args for a verb without": {"args": {"force": True}},
    "args a list": {"args": []},
    "args null": {"args": msgspec.Raw(b"null")},
    "erase nobody": {"verb": "erase"},
    "erase an empty name": {"verb": "erase", "args": {"subject": ""}},
    "erase a long name": {"verb": "erase", "args": {"subject": "s" * 129}},
    "erase several": {"verb": "erase", "args": {"subject": ["s-1", "s-2"]}},
    "erase and more": {"verb": "erase", "args": {"subject": "s-1", "all": True}},
    "replay from zero": {"verb": "replay", "args": {"first": 0, "last": 5}},
    "replay backwards": {"verb": "replay", "args": {"first": 5, "last": 4}},
    "replay too many": {"verb": "replay", "args": {"first": 1, "last": MOST_REPLAYED + 1}},
    "replay beyond any": {"verb": "replay", "args": {"first": 1, "last": 2**63}},
}


@pytest.mark.parametrize("changed", WRONG.values(), ids=WRONG)
def test_a_payload_of_another_form_is_malformed(changed):
    found = read(signed_text(**changed))
    assert why(found) is Why.MALFORMED
    assert found.is_authentic


PAYLOADS = {
    "no JSON": b"unlock",
    "a list": b"[]",
    "no text": json.dumps(claims()).encode().replace(b"anna", b"\xff\xfe"),
    "no text in args": json.dumps(claims()).encode().replace(b"{}", b'{"\xff":1}'),
    "deep args": json.dumps(claims()).encode().replace(b"{}", b"[" * 4000 + b"]" * 4000),
    "a lone surrogate": json.dumps(claims(by="\ud800")).encode(),
    "a member twice": b'{"verb":"identify",' + json.dumps(claims()).encode()[1:],
    "an argument twice": json.dumps(claims(verb="erase", args={"subject": "s-1"}))
    .encode()
    .replace(b'{"subject"', b'{"subject":"s-2","subject"'),
    "two texts": json.dumps(claims()).encode() * 2,
    "a huge number": json.dumps(claims()).encode().replace(b'"counter": 1', b'"counter": 1e999'),
    "NaN": json.dumps(claims()).encode().replace(b'"counter": 1', b'"counter": NaN'),
}


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_an_odd_payload_is_malformed_and_no_accident(payload):
    assert why(read(raw_text(payload))) is Why.MALFORMED


@pytest.mark.parametrize("verb", ["x\n2026 all is well", "\u202egnikcol", "\x1b[2J", "y" * 5000])
def test_what_somebody_sent_is_quoted_briefly_and_harmlessly(verb):
    found = read(signed_text(verb=verb))
    assert why(found) is Why.MALFORMED
    assert found.detail.isascii()
    assert found.detail.isprintable()
    assert len(found.detail) < 200


def test_without_args_a_verb_has_none():
    assert isinstance(read(signed_text(args=None)).arguments(), object)
    with pytest.raises(CommandFormError):
        parse_command(msgspec.json.encode(claims(verb="erase", args=None)))


def test_as_many_events_as_may_be_are_replayed():
    assert command(verb="replay", args={"first": 1, "last": MOST_REPLAYED})
    assert command(verb="replay", args={"first": 2**53, "last": 2**53})


# ------------------------------------------------------------------------------ whether it counts


@pytest.mark.parametrize("verb", ServerVerb)
@pytest.mark.parametrize("role", Role)
def test_who_may_command_what(verb, role):
    made = command(verb=verb, args=ARGUMENTS.get(verb, {}))
    expected = None if role in WHO_MAY[verb] else Why.NOT_AUTHORISED
    assert against(made, frozenset({role})) is expected
    assert against(made, frozenset()) is Why.NOT_AUTHORISED


@pytest.mark.parametrize("verb", ServerVerb)
def test_without_a_clock_what_is_meant_for_a_moment_waits_for_none(verb):
    made = command(verb=verb, args=ARGUMENTS.get(verb, {}))
    roles = frozenset(Role)
    expected = None if verb in NEEDS_NO_CLOCK else Why.CLOCK_UNTRUSTED
    assert against(made, roles, now_utc=None) is expected
    assert against(made, roles, now_utc=NOW) is None


@pytest.mark.parametrize(
    ("at_s", "expected"),
    [
        (-SKEW_S - 1, Why.NOT_YET_VALID),
        (-SKEW_S, None),
        (0, None),
        (29, None),
        (29.999, None),
        (30, Why.EXPIRED),
        (7 * 86_400, Why.EXPIRED),
    ],
)
@pytest.mark.parametrize("verb", [ServerVerb.RELEASE_ENTRY, ServerVerb.ACKNOWLEDGE])
def test_a_command_counts_from_nbf_until_before_exp(at_s, expected, verb):
    made = command(verb=verb)
    assert against(made, now_utc=NOW + timedelta(seconds=at_s)) is expected
    assert is_over(made, NOW + timedelta(seconds=at_s)) is (expected is Why.EXPIRED)


@pytest.mark.parametrize("verb", ServerVerb)
def test_a_window_has_its_longest(verb):
    longest_s = MAX_LONG_WINDOW_S if verb in NEEDS_NO_CLOCK else MAX_WINDOW_S
    args, roles = ARGUMENTS.get(verb, {}), frozenset(Role)
    made = command(verb=verb, args=args, exp=NOW_S + longest_s)
    assert against(made, roles) is None
    longer = command(verb=verb, args=args, exp=NOW_S + longest_s + 1)
    assert against(longer, roles) is Why.WINDOW_TOO_LONG
    assert against(longer, roles, now_utc=None) is Why.WINDOW_TOO_LONG


@pytest.mark.parametrize(("highest", "expected"), [(0, None), (4, None), (5, Why.REPLAYED)])
def test_a_counter_is_above_every_one_before(highest, expected):
    assert against(command(counter=5), highest=highest) is expected
    assert against(command(counter=4), highest=5) is Why.REPLAYED


@pytest.mark.parametrize(
    ("since_s", "expected"),
    [(None, Why.NO_MEMORY), (NOW_S + 1, Why.NO_MEMORY), (NOW_S, None), (0, None)],
)
@pytest.mark.parametrize("verb", [ServerVerb.RELEASE_ENTRY, ServerVerb.ACKNOWLEDGE])
def test_what_is_from_before_the_memory_may_have_been_obeyed(since_s, expected, verb):
    assert against(command(verb=verb), known_since_s=since_s) is expected


def test_also_without_a_clock_the_memory_must_reach_back():
    made = command(verb="acknowledge")
    assert against(made, now_utc=None, known_since_s=NOW_S + 1) is Why.NO_MEMORY
    assert against(made, now_utc=None, known_since_s=None) is Why.NO_MEMORY


def test_of_several_reasons_the_first_is_told():
    late = command(counter=1, nbf=NOW_S, exp=NOW_S + 900)
    at = {"now_utc": NOW + DAY, "known_since_s": None}
    assert against(late, frozenset(), highest=9, **at) is Why.NOT_AUTHORISED
    assert against(late, highest=9, **at) is Why.REPLAYED
    assert against(late, **at) is Why.WINDOW_TOO_LONG
    short = command()
    assert against(short, now_utc=None, known_since_s=None) is Why.CLOCK_UNTRUSTED
    assert against(short, **at) is Why.EXPIRED


def test_every_verb_has_a_law_and_every_reason_a_remedy():
    assert set(LAWS) == set(ServerVerb)
    assert set(REMEDIES) == set(Why)
    assert all(law.roles for law in LAWS.values())
