"""The schema of health certificates: what any version of it allows, and nothing else."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost_services.credentials import hcert_schema
from gatepost_services.credentials.errors import CredentialError, Refusal

from . import hcert_kit as kit
from .hcert_kit import UNHURRIED

MISSING = object()


def accepts(value):
    try:
        hcert_schema.checked(value)
    except CredentialError as error:
        if error.refusal is Refusal.FORMAT:
            return False
        raise
    return True


def cases(accepted, refused):
    return [(value, True) for value in accepted] + [(value, False) for value in refused]


def changed(group, **changes):
    whole = kit.certificate(**{group: changes})
    entry = whole[group][0]
    for name in [name for name, value in entry.items() if value is MISSING]:
        del entry[name]
    return whole


@pytest.mark.parametrize("version", ["1.0.0", "1.0.1", "1.2.1", "1.3.0", "1.3.3"])
@pytest.mark.parametrize("group", ["t", "v", "r"])
def test_every_version_and_every_group_is_read(version, group):
    certificate = hcert_schema.checked(kit.certificate(ver=version, **{group: {}}))
    assert certificate.version == version
    (entry,) = certificate.entries
    assert entry.certificate_id == kit.certificate(**{group: {}})[group][0]["ci"]


@pytest.mark.parametrize("version", ["", "1", "1.0", "1.0.0.0", "a.b.c", "1.0.0\n", 1.0, None])
def test_a_version_is_three_numbers(version):
    assert not accepts(kit.certificate(ver=version, t={}))


@pytest.mark.parametrize("name", ["ver", "nam", "dob"])
def test_nothing_that_every_version_has_may_be_missing(name):
    whole = kit.certificate(t={})
    del whole[name]
    assert not accepts(whole)


def test_there_are_entries_in_exactly_one_group():
    assert not accepts(kit.certificate())
    assert not accepts(kit.certificate(t=[]))
    assert not accepts(kit.certificate(t={}, v={}))
    assert not accepts(kit.certificate(t={}, r=[]))
    assert not accepts(kit.certificate(t=None))
    assert accepts(kit.certificate(t={}, v=None, r=None))


@pytest.mark.parametrize("group", ["t", "v", "r"])
@pytest.mark.parametrize(
    ("version", "accepted"),
    cases(accepted=("1.0.0", "1.2.1", "0.9.9"), refused=("1.3.0", "1.3.3", "1.10.0", "2.0.0")),
)
def test_more_than_one_entry_is_of_a_version_before_1_3(group, version, accepted):
    entry = {"t": kit.TEST, "v": kit.DOSE, "r": kit.RECOVERY}[group]
    assert accepts(kit.certificate(ver=version, **{group: [entry, entry]})) is accepted


@pytest.mark.parametrize("value", [None, [], "text", 1, {}, {1: 2}, {"ver": {}}, b"x", [[[[]]]]])
def test_what_is_no_certificate_at_all_is_refused(value):
    assert not accepts(value)


def test_what_a_version_adds_later_is_passed_over():
    assert accepts(kit.certificate(t={"dr": "2021-05-31T10:00:00Z", "new": [1]}, more={}))


@pytest.mark.parametrize(
    ("name", "accepted"),
    [
        ({"fnt": "MUSTER<ZWEI"}, True),
        ({"gnt": "EVA"}, True),
        ({"fnt": ""}, True),
        ({"fnt": "A" * 80, "fn": "ä" * 80}, True),
        ({"fnt": None, "gnt": "EVA"}, True),
        ({}, False),
        ({"fn": "Muster", "gn": "Eva"}, False),
        ({"fnt": "Muster"}, False),
        ({"fnt": "MUSTER1"}, False),
        ({"fnt": "MUSTER\n"}, False),
        ({"fnt": "A" * 81}, False),
        ({"fnt": "A", "fn": "a" * 81}, False),
        ({"fnt": 1}, False),
    ],
)
def test_a_name_has_one_part_in_standard_letters(name, accepted):
    assert accepts(kit.certificate(nam=name, t={})) is accepted


@pytest.mark.parametrize(
    ("born", "accepted"),
    [
        ("1998-02-26", True),
        ("1998-02", True),
        ("1998", True),
        ("", True),
        ("1998-02-26T00:00:00", True),
        ("1998-xx-XX", True),
        ("1898-02-26", False),
        ("2100-01-01", False),
        ("26.02.1998", False),
        ("1998-02-26 ", False),
        ("98", False),
        (None, False),
        (19980226, False),
    ],
)
def test_a_day_of_birth_may_be_known_in_part(born, accepted):
    assert accepts(kit.certificate(dob=born, t={})) is accepted


@pytest.mark.parametrize("group", ["t", "v", "r"])
def test_an_entry_lacks_nothing_but_what_a_version_leaves_out(group):
    optional = {"nm", "ma", "tc"} if group == "t" else set()
    for name in kit.certificate(**{group: {}})[group][0]:
        assert accepts(changed(group, **{name: MISSING})) is (name in optional), name
        assert accepts(changed(group, **{name: None})) is (name in optional), name
        assert not accepts(changed(group, **{name: ["a list"]})), name


@pytest.mark.parametrize(("group", "fields"), [("t", "is ci tc"), ("v", "is ci"), ("r", "is ci")])
def test_a_text_of_an_entry_has_at_most_80_characters(group, fields):
    for name in fields.split():
        assert accepts(changed(group, **{name: "ä" * 80})), name
        assert not accepts(changed(group, **{name: "x" * 81})), name


@pytest.mark.parametrize(
    ("dose", "accepted"),
    cases(accepted=(1, 9, 12, 3.0), refused=(0, -1, 1.5, "1", True, float("inf"), 0.0)),
)
@pytest.mark.parametrize("field", ["dn", "sd"])
def test_doses_are_counted_from_one_in_whole_numbers(field, dose, accepted):
    assert accepts(changed("v", **{field: dose})) is accepted


@pytest.mark.parametrize(
    ("country", "accepted"),
    cases(
        accepted=("AT", "XK", "UNHCR", "AT ", "AT1"),
        refused=("XY", "ZZ", "at", "A", "", "A1"),
    ),
)
@pytest.mark.parametrize("group", ["t", "v", "r"])
def test_a_country_is_one_that_there_is_or_an_organisation(group, country, accepted):
    assert accepts(changed(group, co=country)) is accepted


@pytest.mark.parametrize(
    ("device", "accepted"),
    cases(accepted=("1232", "344", "0344", "Some name", ""), refused=("9999", "0", "123456", 1232)),
)
def test_the_number_of_a_device_is_one_that_may_have_been_given(device, accepted):
    assert accepts(changed("t", ma=device)) is accepted


@pytest.mark.parametrize(
    ("holder", "accepted"),
    cases(
        accepted=("ORG-100030215", "Sinovac-Biotech"),
        refused=("ORG-99999999", "ORG-", "ORG-1000302151"),
    ),
)
def test_the_number_of_an_organisation_is_one_of_the_ema(holder, accepted):
    assert accepts(changed("v", ma=holder)) is accepted


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2021-02-18", date(2021, 2, 18)),
        (" 2021-02-18T23:59:59+02:00", date(2021, 2, 18)),
        ("2021-02-30", None),
        ("2021-02", None),
        ("18.02.2021", None),
        ("", None),
    ],
)
def test_a_day_is_whole_or_not_known(text, read):
    assert hcert_schema.day(text) == read
    assert accepts(changed("v", dt=text))  # JSON Schema's format is a remark
    assert accepts(changed("r", fr=text, df=text, du=text))


AT_NOON = datetime(2021, 5, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2021-05-31T12:00:00Z",
        "2021-05-31t12:00:00z",
        "2021-05-31 12:00:00",
        "2021-05-31T12:00:00",
        "2021-05-31T12:00Z",
        " 2021-05-31T12:00:00.000Z ",
        "2021-05-31T12:00:00,0+00:00",
        "2021-05-31T14:00:00+02:00",
        "2021-05-31T14:00:00+0200",
        "2021-05-31T14:00:00+02",
        "2021-05-31T14:00+02",
        "2021-05-31T05:30:00-06:30",
        "2021-06-01T02:00:00+14:00",
    ],
)
def test_a_time_of_a_sample_is_read_in_every_way_that_issuers_write_it(text):
    assert hcert_schema.sample_time(text) == AT_NOON
    assert accepts(changed("t", sc=text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2021-05-31",
        "2021-05-31T",
        "2021-05-31T12",
        "2021-05-31T24:00:00Z",
        "2021-05-31T12:60:00Z",
        "2021-05-31T12:00:61Z",
        "2021-02-30T12:00:00Z",
        "2021-13-01T12:00:00Z",
        "2021-05-31T12:00:00+14:30",
        "2021-05-31T12:00:00+",
        "2021-05-31T12:00:00 UTC",
        "20210531T120000Z",
        "0000-05-31T12:00:00Z",
        "0001-01-01T00:00:00+02:00",
        "9999-12-31T23:59:59-02:00",
        "2021-05-31T12:00:00.1234567890Z",
        "٢٠٢١-05-31T12:00:00Z",
        "1622462400",
        "now",
    ],
)
def test_what_is_no_time_of_a_sample_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        hcert_schema.sample_time(text)
    assert accepts(changed("t", sc=text))  # JSON Schema's format is a remark


@UNHURRIED
@given(
    st.datetimes(AT_NOON.replace(year=1900, tzinfo=None), AT_NOON.replace(year=2099, tzinfo=None)),
    st.integers(-14 * 60, 14 * 60),
)
def test_a_time_comes_back_in_utc(local, offset_min):
    at = local.replace(tzinfo=timezone(timedelta(minutes=offset_min)))
    read = hcert_schema.sample_time(at.isoformat())
    assert abs(read - at) <= timedelta(microseconds=1)
    assert read.tzinfo is UTC


@UNHURRIED
@given(st.text(max_size=60))
def test_any_text_is_a_time_or_a_value_error(text):
    try:
        found = hcert_schema.sample_time(text)
    except ValueError:
        return
    assert found.tzinfo is UTC


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["ver", "nam", "dob", "t", "v", "r", "fnt", "sc", "dn"]) | st.text(),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@UNHURRIED
@given(ANYTHING)
def test_any_value_is_a_certificate_or_the_one_error(value):
    assert not accepts(value)


@UNHURRIED
@given(
    st.sampled_from("tvr"), st.sampled_from(["tg", "co", "is", "ci", "sc", "dn", "df"]), ANYTHING
)
def test_any_value_in_an_entry_is_read_or_the_one_error(group, field, value):
    accepts(changed(group, **{field: value}))


def test_a_refusal_names_the_place_and_quotes_nothing():
    with pytest.raises(CredentialError, match=r"t\[0\]\.sc") as caught:
        hcert_schema.checked(changed("t", sc={"Eva": "Muster"}))
    assert "Muster" not in str(caught.value)
    assert caught.value.__cause__ is None
