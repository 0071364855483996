"""Health certificates, from the code to what a gate needs; each refusal told apart."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost_services.credentials import cbor, hcert, keys, wrapping
from gatepost_services.credentials.errors import CredentialError, Refusal
from gatepost_services.credentials.keys import Use

from . import hcert_kit as kit
from .hcert_kit import DAY, NOW, UNHURRIED

NEGATIVE = hcert.Test(
    is_covid=True,
    kind=hcert.TestKind.NAAT,
    sampled_utc=datetime(2021, 5, 31, 7, 30, tzinfo=UTC),
    outcome=hcert.Outcome.NOT_DETECTED,
)
SECOND = timedelta(seconds=1)


def read(text, *trusted, now=NOW):
    return hcert.read(text, trusted=keys.by_id(trusted or (kit.trusted(kit.p256()),)), now_utc=now)


def refusal(text, *trusted, now=NOW):
    with pytest.raises(CredentialError) as caught:
        read(text, *trusted, now=now)
    return caught.value.refusal


def of_message(data):
    return wrapping.wrap(data, hcert.PREFIX)


@pytest.mark.parametrize("make_key", [kit.p256, kit.p384, kit.rsa_key])
def test_a_test_is_read_with_its_time_in_utc_and_without_a_name(make_key):
    key = make_key()
    certificate = read(kit.issued(kit.certificate(t={}), key), kit.trusted(key))
    assert certificate == hcert.Certificate(
        "AT", NOW - DAY, NOW + 9 * DAY, kit.kid_of(key), (NEGATIVE,)
    )
    assert not any(name in repr(certificate) for name in ("Muster", "MUSTER", "Eva", "1998"))


def test_a_vaccination_and_a_recovery_are_read():
    dose = read(kit.issued(kit.certificate(v={"dn": 2.0})))
    assert dose.entries[0] == hcert.Vaccination(
        is_covid=True, dose=2, doses=2, given_on=date(2021, 2, 18)
    )
    recovery = read(kit.issued(kit.certificate(r={"tg": "another"})))
    assert recovery.entries[0] == hcert.Recovery(
        is_covid=False,
        positive_on=date(2021, 2, 20),
        valid_from=date(2021, 4, 4),
        valid_until=date(2021, 10, 4),
    )


@pytest.mark.parametrize(
    ("changes", "kind", "outcome"),
    [
        ({"tt": "LP217198-3", "tr": "260373001"}, "rapid", "detected"),
        ({"tt": " LP6464-4 ", "tr": "260415000 "}, "naat", "not_detected"),
        ({"tt": "LP1", "tr": "1"}, "other", "unknown"),
    ],
)
def test_a_code_of_a_value_set_that_is_not_known_is_told_and_proves_nothing(changes, kind, outcome):
    (test,) = read(kit.issued(kit.certificate(t=changes))).entries
    assert (test.kind, test.outcome) == (kind, outcome)


def test_a_line_end_of_the_scanner_is_no_part_of_a_code():
    assert read(kit.issued(kit.certificate(t={})) + "\r\n").entries == (NEGATIVE,)


def test_an_issuer_may_be_missing_but_is_never_anything_else_than_a_text():
    whole = kit.certificate(t={})
    assert read(kit.issued(whole, iss=None)).issuer_country is None
    assert refusal(kit.issued(whole, iss=43)) is Refusal.FORMAT
    assert refusal(kit.issued(whole, iss="A" * 81)) is Refusal.FORMAT


@pytest.mark.parametrize(
    "text", ["", "HC1", "HC2:6BF", "hc1:6BF", "6BF", "HC1:", "HC1:é", "HC1:::"]
)
def test_what_is_no_such_code_is_refused(text):
    assert refusal(text) is Refusal.FORMAT


def test_a_key_that_is_not_trusted_and_one_that_did_not_sign_are_told_apart():
    text = kit.issued(kit.certificate(t={}))
    other = kit.p256(1)
    assert refusal(text, kit.trusted(other)) is Refusal.UNKNOWN_KEY
    assert refusal(text, kit.trusted(other, kit.kid_of(kit.p256()))) is Refusal.SIGNATURE


def test_every_key_with_the_id_is_tried():
    kid = kit.kid_of(kit.p256())
    shared = [kit.trusted(kit.p256(n), kid) for n in (1, 2)]
    assert read(
        kit.issued(kit.certificate(t={})),
        *shared,
        kit.trusted(kit.p384(), kid),
        kit.trusted(kit.p256()),
    )


def test_the_protected_key_id_counts_and_the_other_one_only_where_there_is_none():
    payload = kit.cwt(kit.certificate(t={}))
    key, kid = kit.p256(), kit.kid_of(kit.p256())

    def text(protected, unprotected):
        headers = {"protected": {1: kit.ES256} | protected, "unprotected": unprotected}
        return of_message(kit.message(payload, key, **headers))

    assert read(text({4: kid}, {4: b"foo"}))
    assert read(text({}, {4: kid}))
    assert refusal(text({4: b"foo"}, {4: kid})) is Refusal.UNKNOWN_KEY
    assert refusal(text({}, {4: b"foo"})) is Refusal.UNKNOWN_KEY


def test_without_a_key_id_every_key_is_tried_up_to_a_bound():
    key = kit.p256()
    text = of_message(kit.message(kit.cwt(kit.certificate(t={})), key, protected={1: kit.ES256}))
    others = [kit.trusted(kit.p256(1), bytes([n])) for n in range(255)]
    assert read(text, *others, kit.trusted(key)).kid == kit.kid_of(key)
    assert refusal(text, *others) is Refusal.SIGNATURE
    assert refusal(text, *others, others[0], kit.trusted(key)) is Refusal.UNKNOWN_KEY


def test_a_key_of_passes_or_lists_signs_no_certificate():
    text = kit.issued(kit.certificate(t={}))
    for use in (Use.PASS, Use.LIST):
        key = kit.trusted(kit.p256(), uses=frozenset({use}))
        assert refusal(text, key) is Refusal.UNKNOWN_KEY


@pytest.mark.parametrize(("group", "use"), [("t", "test"), ("v", "vaccination"), ("r", "recovery")])
def test_a_key_signs_only_what_it_is_for(group, use):
    text = kit.issued(kit.certificate(**{group: {}}))
    assert read(text, kit.trusted(kit.p256(), uses=frozenset({Use(use)})))
    others = keys.HCERT_USES - {Use(use)}
    assert refusal(text, kit.trusted(kit.p256(), uses=others)) is Refusal.KEY_USE
    # The same key twice, as two certificates of it: one of them may.
    both = (kit.trusted(kit.p256(), uses=others), kit.trusted(kit.p256()))
    assert read(text, *both)


@pytest.mark.parametrize(
    ("at", "refused"),
    [
        (NOW - DAY - SECOND, Refusal.NOT_YET),
        (NOW - DAY, None),
        (NOW + 9 * DAY, None),
        (NOW + 9 * DAY + SECOND, Refusal.EXPIRED),
    ],
)
def test_it_counts_from_its_issue_until_its_expiry_both_included(at, refused):
    text = kit.issued(kit.certificate(t={}))
    if refused is None:
        assert read(text, now=at)
    else:
        assert refusal(text, now=at) is refused


@pytest.mark.parametrize(
    ("start", "end", "refused"),
    [
        (SECOND, DAY, Refusal.NOT_YET),
        (-DAY, -SECOND, Refusal.EXPIRED),
        (SECOND * 0, SECOND * 0, None),
    ],
)
def test_its_key_must_be_valid_at_the_time_too(start, end, refused):
    key = kit.trusted(kit.p256(), not_before_utc=NOW + start, not_after_utc=NOW + end)
    text = kit.issued(kit.certificate(t={}))
    if refused is None:
        assert read(text, key)
    else:
        assert refusal(text, key) is refused


def test_without_a_clock_nothing_is_in_time():
    assert refusal(kit.issued(kit.certificate(t={})), now=None) is Refusal.NO_CLOCK


@pytest.mark.parametrize("value", [None, "2021", True, -1, 253_402_300_800, [1], b"1"])
@pytest.mark.parametrize("claim", ["iat", "exp"])
def test_a_time_that_is_missing_or_none_is_refused(claim, value):
    assert refusal(kit.issued(kit.certificate(t={}), **{claim: value})) is Refusal.FORMAT


def test_fractions_of_a_second_are_times():
    text = kit.issued(kit.certificate(t={}), iat=(NOW - DAY).timestamp() + 0.5)
    assert read(text).issued_utc == NOW - DAY + SECOND / 2


def test_a_time_that_it_counts_from_counts():
    def text(nbf):
        claims = {1: "AT", 4: 2e9, 5: nbf, 6: 1e9, -260: {1: kit.certificate(t={})}}
        return of_message(kit.message(cbor.encode(claims), kit.p256()))

    assert refusal(text(int((NOW + SECOND).timestamp()))) is Refusal.NOT_YET
    assert read(text(int(NOW.timestamp()))).issued_utc == NOW


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x01",
        b"\x80",
        b"\xa0",
        cbor.encode({-260: []}),
        cbor.encode({4: 2e9, 6: 1e9, -260: {2: kit.certificate(t={})}}),
        cbor.encode({4: 2e9, 6: 1e9, -261: {1: kit.certificate(t={})}}),
    ],
)
def test_claims_without_a_certificate_are_refused(payload):
    assert refusal(of_message(kit.message(payload, kit.p256()))) is Refusal.FORMAT


def test_the_signature_is_looked_at_before_what_is_signed():
    text = of_message(kit.message(b"no claims at all", kit.p256(1)))
    assert refusal(text, kit.trusted(kit.p256())) is Refusal.UNKNOWN_KEY


def sample(hours_ago, tt="LP6464-4", tr="260415000", tg="840539006"):
    sampled = (NOW - timedelta(hours=hours_ago)).isoformat()
    return read(kit.issued(kit.certificate(t={"sc": sampled, "tt": tt, "tr": tr, "tg": tg})))


def test_the_newest_nucleic_acid_test_is_found_among_several():
    others = [sample(1, tt="LP217198-3"), sample(2, tr="x"), sample(3, tg="x"), sample(-1)]
    others.append(read(kit.issued(kit.certificate(v={}))))
    assert hcert.newest_naat(others, NOW) is None
    found = hcert.newest_naat([sample(30), *others, sample(20), sample(40)], NOW)
    assert found == hcert.TestResult(is_negative=True, taken_utc=NOW - timedelta(hours=20))


@UNHURRIED
@given(
    st.permutations([(10, "260373001"), (10, "260415000"), (11, "260415000"), (50, "260373001")])
)
def test_no_negative_outlives_a_positive_of_the_same_hour_or_later(results):
    found = hcert.newest_naat([sample(hours, tr=result) for hours, result in results], NOW)
    assert found == hcert.TestResult(is_negative=False, taken_utc=NOW - timedelta(hours=10))


def test_before_1_3_there_may_be_more_than_one_entry_and_the_newest_counts():
    entries = [kit.TEST | {"sc": f"2021-05-{day}T12:00:00Z"} for day in (20, 30, 25)]
    certificate = read(kit.issued(kit.certificate(ver="1.2.1", t=entries)))
    assert len(certificate.entries) == 3
    found = hcert.newest_naat([certificate], NOW)
    assert found == hcert.TestResult(
        is_negative=True, taken_utc=datetime(2021, 5, 30, 12, tzinfo=UTC)
    )
    assert refusal(kit.issued(kit.certificate(ver="1.3.0", t=entries))) is Refusal.FORMAT


def test_a_sample_without_a_time_is_refused_and_another_day_is_not_known():
    for text in ("", "2021-05-31", "yesterday"):
        assert refusal(kit.issued(kit.certificate(t={"sc": text}))) is Refusal.FORMAT
    (dose,) = read(kit.issued(kit.certificate(v={"dt": "in May"}))).entries
    assert dose.given_on is None


@pytest.mark.parametrize(
    ("before", "after", "refused"),
    [
        (DAY, 9 * DAY, None),
        (DAY - SECOND, 9 * DAY, Refusal.NOT_YET),
        (DAY, 9 * DAY - SECOND, Refusal.EXPIRED),
    ],
)
def test_issuers_keep_within_the_time_of_their_key(before, after, refused):
    claims = hcert.claims_of(kit.cwt(kit.certificate(t={})))
    key = kit.trusted(kit.p256(), not_before_utc=NOW - before, not_after_utc=NOW + after)
    if refused is None:
        hcert.check_key_span(claims, key)
        return
    with pytest.raises(CredentialError) as caught:
        hcert.check_key_span(claims, key)
    assert caught.value.refusal is refused
    # A gate asks whether both are valid now.
    assert read(kit.issued(kit.certificate(t={})), key)
