"""The EU DCC schema, versions 1.0.0 to 1.3.3, as types: what a health certificate must look like.

One set of types serves all versions: a field takes what any version of the schema allows, because
certificates of all of them are about, some with a version that is not the one they follow. That
there is one group of entries is asked of all, that there is one entry in it from 1.3.0 on.

The schema's `format` (date, date-time) is a remark and no rule (JSON Schema 2020-12, validation,
7.2.1), and issuers differ: `day` and `sample_time` say what is read, and a text that they do not
read is a text. The value sets of the eHealth Network change every month, a gate may be offline for
weeks, and a code that it does not know yet must not turn anybody away. So only what can never be a
code is refused: a country that ISO 3166-1 has not assigned, the number of a device outside the
range of the JRC's database, that of an organisation as the EMA gives none.
"""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta, Struct, field

from gatepost_services.credentials.errors import CredentialError, Refusal

# ISO 3166-1 alpha-2 as of 2019-11-01, and XK, which is in the value set, too.
_COUNTRY_LIST = """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS
    BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE
    EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM
    HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC
    LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA
    NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW
    SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO
    TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW
    """
_COUNTRIES = frozenset(_COUNTRY_LIST.split())
_ALPHA_2 = 2
# Numbers of rapid tests in the JRC's database were below 4,000 when the value sets were frozen in
# 2023; 9999 and the like are placeholders.
_DEVICES = range(1, 5000)
_ORGANISATION = re.compile(r"ORG-\d{9}")  # EMA, Organisation Management Service

# The seconds and what is smaller may be missing, and so may the offset, or its minutes, or its
# colon: hcert-spec asks for RFC 3339, issuers write ISO 8601.
_SAMPLE_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?"
    r" ?(?:[Zz]|([+-])(\d\d)(?::?(\d\d))?)?"
)
_MAX_OFFSET = timedelta(hours=14)  # Kiribati; RFC 3339 would take more

_Text: TypeAlias = Annotated[str, Meta(max_length=80)]  # 50 until 1.2.1
_Standardised: TypeAlias = Annotated[str, Meta(pattern=r"^[A-Z<]*\Z", max_length=80)]
_Country: TypeAlias = Annotated[str, Meta(pattern=r"[A-Z]{1,10}")]
_Version: TypeAlias = Annotated[str, Meta(pattern=r"^\d{1,5}\.\d{1,5}\.\d{1,5}\Z")]
# Known in part or not at all; xx is how ICAO 9303 and the Dutch write what is not known. Some put
# a time of day after it.
_Birth: TypeAlias = Annotated[
    str, Meta(pattern=r"^((19|20)\d\d(-(\d\d|[Xx]{2})){0,2}(T[0-9:.+Zz-]{0,32})?)?\Z")
]
# A float where an encoder knows no other numbers; `VaccinationEntry` asks it to be whole.
_Dose: TypeAlias = Annotated[int, Meta(ge=1)] | Annotated[float, Meta(ge=1)]
_SOME = Meta(min_length=1)
_ONE_ENTRY_SINCE = (1, 3)


class Name(Struct, frozen=True):
    """Whose it is. Read to be checked, and forgotten: no names on the gate."""

    fnt: _Standardised | None = None
    gnt: _Standardised | None = None
    fn: _Text | None = None
    gn: _Text | None = None

    def __post_init__(self) -> None:
        if self.fnt is None and self.gnt is None:
            raise ValueError("neither a surname nor a forename in letters of ICAO 9303")


class VaccinationEntry(Struct, frozen=True):
    """One dose of a vaccine (schema: vaccination_entry)."""

    disease: str = field(name="tg")
    vaccine: str = field(name="vp")
    product: str = field(name="mp")
    holder: str = field(name="ma")
    dose: _Dose = field(name="dn")
    doses: _Dose = field(name="sd")
    given_on: str = field(name="dt")
    country: _Country = field(name="co")
    issuer: _Text = field(name="is")
    certificate_id: _Text = field(name="ci")

    def __post_init__(self) -> None:
        _check_country(self.country)
        for count in (self.dose, self.doses):
            if count % 1:
                raise ValueError("a part of a dose")
        holder = self.holder.strip()
        if holder.startswith("ORG-") and not _ORGANISATION.fullmatch(holder):
            raise ValueError("an organisation number that is none")


class TestEntry(Struct, frozen=True):
    """One test (schema: test_entry)."""

    disease: str = field(name="tg")
    kind: str = field(name="tt")
    sampled: str = field(name="sc")
    result: str = field(name="tr")
    country: _Country = field(name="co")
    issuer: _Text = field(name="is")
    certificate_id: _Text = field(name="ci")
    name: str | None = field(name="nm", default=None)
    device: str | None = field(name="ma", default=None)
    centre: _Text | None = field(name="tc", default=None)

    def __post_init__(self) -> None:
        _check_country(self.country)
        device = (self.device or "").strip()
        if device.isascii() and device.isdecimal() and int(device) not in _DEVICES:
            raise ValueError("a device number that was never given")


class RecoveryEntry(Struct, frozen=True):
    """One recovery (schema: recovery_entry)."""

    disease: str = field(name="tg")
    positive_on: str = field(name="fr")
    country: _Country = field(name="co")
    issuer: _Text = field(name="is")
    valid_from: str = field(name="df")
    valid_until: str = field(name="du")
    certificate_id: _Text = field(name="ci")

    def __post_init__(self) -> None:
        _check_country(self.country)


class HealthCertificate(Struct, frozen=True):
    """The whole (schema: DCC.combined-schema.json), with entries in one of its three groups."""

    version: _Version = field(name="ver")
    name: Name = field(name="nam")
    born: _Birth = field(name="dob")
    vaccinations: Annotated[list[VaccinationEntry], _SOME] | None = field(name="v", default=None)
    tests: Annotated[list[TestEntry], _SOME] | None = field(name="t", default=None)
    recoveries: Annotated[list[RecoveryEntry], _SOME] | None = field(name="r", default=None)

    def __post_init__(self) -> None:
        groups = (self.vaccinations, self.tests, self.recoveries)
        if sum(group is not None for group in groups) != 1:
            raise ValueError("not exactly one of vaccination, test and recovery")
        version = tuple(map(int, self.version.split(".")))
        if version >= _ONE_ENTRY_SINCE and len(self.entries) > 1:
            raise ValueError("more than one entry")

    @property
    def entries(self) -> Sequence[VaccinationEntry | TestEntry | RecoveryEntry]:
        """Return the entries of the one group that there is."""
        return self.vaccinations or self.tests or self.recoveries or ()


def checked(value: object) -> HealthCertificate:
    """Return what the schema makes of decoded CBOR or JSON.

    Raises:
        CredentialError: FORMAT: it is not as the schema has it.
    """
    try:
        return msgspec.convert(value, HealthCertificate)
    except (msgspec.ValidationError, RecursionError) as error:
        # Not chained, and no more of it than the place: the rest may quote the certificate.
        place = str(error).rpartition(" - at ")[2].strip("`$.") or "the whole"
        raise CredentialError(
            Refusal.FORMAT, f"not the EU DCC schema 1.0.0 to 1.3.3: {place}"
        ) from None


def sample_time(text: str) -> datetime:
    """Return when a sample was taken, UTC. Without an offset it is read as UTC, as others do.

    Raises:
        ValueError: it is no date with a time of day.
    """
    found = _SAMPLE_TIME.fullmatch(text.strip())
    if found is None:
        raise ValueError("a time of the sample that is none")
    on, minute, second, fraction, sign, hours, minutes = found.groups()
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    if offset > _MAX_OFFSET:
        raise ValueError("a time zone that there is not")
    local = datetime.fromisoformat(f"{on}T{minute}:{second or '00'}")
    try:
        local += timedelta(seconds=float(f"0.{fraction or 0}"))
        return (local + offset if sign == "-" else local - offset).replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError("a time of the sample beyond all time") from None


def day(text: str) -> date | None:
    """Return the date in a field of the schema; a time of day after it does not count.

    None: it is no whole date.
    """
    try:
        return date.fromisoformat(text.strip()[: len("YYYY-MM-DD")])
    except ValueError:
        return None


def _check_country(text: str) -> None:
    code = text.strip()
    # Longer ones are organisations that vaccinate, such as UNHCR.
    if len(code) <= _ALPHA_2 and code not in _COUNTRIES:
        raise ValueError("a country that there is not")
