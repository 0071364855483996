"""The one error of everything that reads a code."""

from enum import StrEnum


class Refusal(StrEnum):
    """Why a code is no credential, or not one here and now. The words go into events."""

    FORMAT = "format"  # not base45, zlib, CBOR, COSE or the claims that there must be
    SIZE = "size"  # longer, larger or deeper than any real one
    ALGORITHM = "algorithm"  # signed in a way that is not accepted
    UNKNOWN_KEY = "unknown_key"  # no key of the trust list has this id
    KEY_USE = "key_use"  # the key is not for this
    SIGNATURE = "signature"
    NOT_YET = "not_yet"
    EXPIRED = "expired"
    REVOKED = "revoked"
    ELSEWHERE = "elsewhere"  # for another gate or direction
    USED = "used"  # as often as it may be, or this step of it
    STEP = "step"  # of another moment than now, or without the step that it must have
    NO_CLOCK = "no_clock"  # it has a time, and the gate knows none
    NO_MEMORY = "no_memory"  # uses are counted, and the disk does not take the count


class CredentialError(ValueError):
    """A code that is not accepted. The text says why and quotes nothing of the code.

    Attributes:
        refusal: the kind of it, for events and for what is said at the gate.
    """

    def __init__(self, refusal: Refusal, detail: str) -> None:
        super().__init__(f"{refusal.value}: {detail}")
        self.refusal = refusal
