"""What can go wrong with certificates. Each text names the file or value, and what to do."""

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

# What the library raises for bytes that are not what they should be. They share no base.
UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
)


class PkiError(Exception):
    """Something of the authority or of an enrolment failed."""


class PkiFileError(PkiError):
    """A file cannot be read, written or understood. The text quotes nothing of a key."""


class PkiNameError(PkiError):
    """A name that no certificate is issued for."""


class PkiRequestError(PkiError):
    """A request for a certificate (CSR, RFC 2986) that is none, or not one that is granted."""


class TokenError(PkiError):
    """A token that does not count: unknown, forged, used, expired, or for another gate.

    Attributes:
        public: what a stranger is told: nothing about which of these it was, unless the secret
            was right.
    """

    def __init__(self, text: str, public: str = "the token does not count") -> None:
        super().__init__(text)
        self.public = public


class EnrolError(PkiError):
    """A gate did not get its certificate. What it had before is as it was."""


class EnrolRefusedError(EnrolError):
    """The authority says no to this token or this request: asked again, it says the same."""
