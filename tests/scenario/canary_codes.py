"""What people show at the gate of the canaries: good, wrong, and not at all codes."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from gatepost_hal.system import SystemClock
from gatepost_services.credentials import cbor, cose, hcert, signed_pass, signing, wrapping
from gatepost_services.credentials.claims import SignedPass, to_cwt

from .canary_forms import Canary

SITE = "s"
HOUR = timedelta(hours=1)
PASSES, STATE, ADMIN, ROOT = (signing.key_of_seed(bytes([n]) * 32) for n in (71, 72, 73, 74))
# Cards as readers print them, in hexadecimal: seven bytes of a card's number, and four.
CARDS = {
    "known": bytes.fromhex("04a1b2c3d4e5f6"),
    "feverish": bytes.fromhex("04b9c8d7e6f5a4"),
    "pushed": bytes.fromhex("04c7e1d3f5a9b2"),
    "unknown": bytes.fromhex("04d5c3b1a9f7e8"),
}
WIEGAND = "W34:51966:47806"
WORDS = {
    "word of a pass": "QR-kanarienvogel-4711",
    "code that is too long": "TOOLONG-kanarienvogel-0815",
    "code that is not text": "NOTTEXT-kanarienvogel-0816",
    "code with control characters": "CONTROL-kanarienvogel-0817",
    "broken health certificate": "HC1:KANARIENVOGEL%0818",
    "broken pass": "GP1:KANARIENVOGEL%0819",
}
NAME, FORENAME, BORN = "Kanarienvogel", "Tweetyna", "1961-07-19"
CERTIFICATE_ID = "URN:UVCI:01:AT:KANARIENVOGEL#7"
REMARK = "Kanaria Li, flat 7-1203"
WELL_C, FEVERISH_C = 34.0, 36.6


class Shown(NamedTuple):
    """A code with what is secret about it."""

    text: bytes
    canaries: list[Canary]


def now() -> datetime:
    return datetime.fromtimestamp(int(SystemClock().utc_s()), UTC)


def _of_text(name: str, text: str, inner: bytes) -> list[Canary]:
    body = text.partition(":")[2]
    return [Canary(f"{name}, its code", body.encode()), Canary(f"{name}, its bytes", inner)]


def signed(name: str, **changed: Any) -> Shown:
    """Return a pass with a remark in it that no gate needs: somebody's name and flat."""
    fields: dict[str, Any] = {
        "id": name.encode().ljust(16, b"-")[:16],
        "subject": f"v-{name}",
        "site": SITE,
        "issued_utc": now() - HOUR,
        "category": "resident",
        "expires_utc": now() + 12 * HOUR,
        **changed,
    }
    claims = cbor.decode(to_cwt(SignedPass(**fields)))
    claims[-65537][100] = REMARK
    message = cose.sign(cbor.encode(claims), PASSES, signing.kid_of(PASSES.public_key()))
    text = wrapping.wrap(message, signed_pass.PREFIX)
    return Shown(text.encode(), _of_text(f"{name} pass", text, message))


def certificate(name: str, **changed: Any) -> Shown:
    """Return a test certificate with a name, a birthday and an id; `changed` breaks its schema."""
    entry = {
        "tg": "840539006",
        "tt": "LP6464-4",
        "sc": (now() - 3 * HOUR).isoformat(),
        "tr": "260415000",
        "co": "AT",
        "is": "Ministry",
        "ci": CERTIFICATE_ID,
    }
    names = {"fnt": NAME.upper(), "fn": NAME, "gnt": FORENAME.upper(), "gn": FORENAME}
    whole = {"ver": "1.3.0", "nam": names, "dob": BORN, "t": [entry], **changed}
    begin, end = (now() - 5 * HOUR).timestamp(), (now() + 50 * HOUR).timestamp()
    claims = cbor.encode({1: "AT", 4: int(end), 6: int(begin), -260: {1: whole}})
    message = cose.sign(claims, STATE, signing.kid_of(STATE.public_key()))
    text = wrapping.wrap(message, hcert.PREFIX)
    return Shown(text.encode(), _of_text(f"{name} certificate", text, message))


class Codes:
    """All of them, made once."""

    def __init__(self) -> None:
        self.passes = {
            "good": signed("good"),
            "counted": signed("counted", uses=1),
            "expired": signed("expired", expires_utc=now() - HOUR / 2),
            "elsewhere": signed("elsewhere", site="other"),
        }
        self.certificates = {
            "good": certificate("good"),
            "strange": certificate("strange", dob=f"{BORN} {NAME}"),
            "nameless": certificate("nameless", nam=NAME, v=[FORENAME]),
            "old": certificate("old", ver=f"1.{BORN}"),
        }

    def steps(self) -> list[dict[str, Any]]:
        """Return what the people of the first life do."""
        good = self.passes["good"].text
        shown = [each.text for each in (*self.passes.values(), *self.certificates.values())]
        first, *wrong = (text.encode() for text in WORDS.values())
        too_long, not_text, control, *broken = wrong
        visits = [
            (WELL_C, [CARDS["known"].hex().upper().encode()]),
            (FEVERISH_C, [CARDS["feverish"].hex().upper().encode()]),
            (WELL_C, [CARDS["unknown"].hex().upper().encode(), WIEGAND.encode(), first]),
            (WELL_C, [too_long * 200, b"\xff" + not_text, b"\x01" + control]),
            (WELL_C, broken),
            (WELL_C, [good[:-9]]),
            *((WELL_C, [text]) for text in shown),
            (WELL_C, [good, self.certificates["good"].text]),
        ]
        steps = [visit(object_c, codes) for object_c, codes in visits]
        return [*steps, {"do": "exit"}, {"do": "fault"}, {"do": "fire"}]

    def canaries(self) -> list[Canary]:
        """Return what is secret about them. None of it is kept anywhere, in any form."""
        shown = (*self.passes.values(), *self.certificates.values())
        people = {
            "surname": NAME,
            "SURNAME": NAME.upper(),
            "forename": FORENAME,
            "FORENAME": FORENAME.upper(),
            "birthday": BORN,
            "certificate's id": CERTIFICATE_ID,
            "remark in a pass": REMARK,
        }
        return [
            *(canary for each in shown for canary in each.canaries),
            *(Canary(name, text.encode()) for name, text in people.items()),
            *(Canary(name, text.encode()) for name, text in WORDS.items()),
            Canary("Wiegand card", WIEGAND.encode()),
            Canary("Wiegand number", bytes.fromhex("cafebabe"), is_number=True),
        ]


def visit(object_c: float, codes: list[bytes]) -> dict[str, Any]:
    shown = [base64.b64encode(code).decode() for code in codes]
    return {"do": "visit", "object_c": object_c, "codes": shown}
