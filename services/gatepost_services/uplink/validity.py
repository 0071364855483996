"""From when to when a certificate counts, read from its DER by what stands where (RFC 5280, 4.1).

The standard library has no public way to it for a certificate that is not an authority's, and
`cryptography` would cost the link 9 MB for two instants.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_DAY = timedelta(days=1)
# A certificate is renewed when less than this part of its life is left.
_RENEWED_AT = 1 / 3
_HEAD_BYTES = 2
_SEQUENCE, _VERSION, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18
_LONG_FORM = 0x80
# RFC 5280, 4.1.2.5.1: a year of two digits from 50 on is of the last century.
_LAST_CENTURY = 50


@dataclass(frozen=True, slots=True)
class CertificateState:
    """From when to when a certificate counts."""

    begins_utc: datetime
    expires_utc: datetime

    def days_left(self, now_utc: datetime) -> float:
        """Return for how many days it still counts; negative when it has ended."""
        return (self.expires_utc - now_utc) / _DAY

    def needs_renewal(self, now_utc: datetime) -> bool:
        """Return whether less than a third of its life is left."""
        life = self.expires_utc - self.begins_utc
        return self.expires_utc - now_utc < life * _RENEWED_AT


def validity_of(der: bytes) -> CertificateState:
    """Return from when to when a certificate in DER counts.

    Raises:
        ValueError: it is no certificate.
    """
    content, _ = _element(der, _SEQUENCE)
    to_be_signed, _ = _element(content, _SEQUENCE)
    if to_be_signed[:1] == bytes([_VERSION]):
        _, to_be_signed = _element(to_be_signed)
    for _field in ("serial number", "signature", "issuer"):
        _, to_be_signed = _element(to_be_signed)
    both, _ = _element(to_be_signed, _SEQUENCE)
    begins, rest = _instant(both)
    expires, _ = _instant(rest)
    return CertificateState(begins, expires)


def _element(data: bytes, tag: int | None = None) -> tuple[bytes, bytes]:
    """Return the content of the first element, and what is behind it (DER, X.690, 8.1)."""
    if len(data) < _HEAD_BYTES or (tag is not None and data[0] != tag):
        raise ValueError("not the element that there must be")
    begin, length = _HEAD_BYTES, data[1]
    if length >= _LONG_FORM:
        begin += length - _LONG_FORM
        length = int.from_bytes(data[_HEAD_BYTES:begin])
    if begin + length > len(data):
        raise ValueError("an element is cut off")
    return data[begin : begin + length], data[begin + length :]


def _instant(data: bytes) -> tuple[datetime, bytes]:
    content, rest = _element(data)
    text = content.decode("ascii")
    if data[0] == _UTC_TIME:
        text = ("19" if int(text[:2]) >= _LAST_CENTURY else "20") + text
    elif data[0] != _GENERALIZED_TIME:
        raise ValueError("not an instant")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC), rest
