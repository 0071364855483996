"""From the token on the card to a certificate; then the token is wiped.

An authority takes a token once. So what tells "this certificate came by this token" from "it was
there before" is on the disk before the token is used: a power cut between the certificate and the
wiping must not use the token again.
"""

import hashlib
import json
import ssl
from collections.abc import Mapping
from contextlib import suppress

from gatepost.core.words import Text
from gatepost.provision import texts
from gatepost.provision.card import AUTHORITY, Card, read_file, replace_file
from gatepost.provision.enrolment_note import note_path
from gatepost.provision.outcome import AGAIN, DONE, WRONG, Outcome
from gatepost_config.settings import Settings
from gatepost_services.pki import est_client, identity
from gatepost_services.pki.errors import EnrolRefusedError, PkiError, TokenError
from gatepost_services.pki.files import make_folder
from gatepost_services.pki.tokens import Token
from gatepost_services.uplink.tls import TlsError, certificate_state

# The link reads it, whoever wrote it.
_MODE = 0o640


class Enrolment:
    """One gate's, with a token from its card."""

    def __init__(self, card: Card, settings: Settings) -> None:
        self._card, self._settings = card, settings
        self._using_path = note_path(settings)
        self._certificate = settings.tls.certificate
        self._name = texts.name_of(settings)

    def run(self, content: bytes) -> Outcome:
        """Enrol with what the token's file holds, or finish what was begun with it.

        Raises:
            CardError: card or disk do not do what they are asked.
        """
        word, _, url = content.decode("utf-8", "replace").strip().partition("\n")
        if "\0" in word:
            # Wiped, and the power went before it was removed; or never whole on the card.
            return self._finished() if self._is_enrolled() else _bad(texts.DAMAGED_TOKEN)
        try:
            token = Token.parse(word)
        except TokenError as error:
            return _bad(str(error))
        if self._is_enrolled(token):
            return self._finished()
        if why := self._wrong_folder() or self._wrong_server(token, url.strip()):
            return _bad(why)
        try:
            held = identity.Identity(self._certificate.parent)
            make_folder(held.folder)
            self._note(token)
            gate = self._settings.gate
            est_client.enrol(url.strip(), token, gate.site, gate.name, held)
        except EnrolRefusedError as error:
            return _bad(str(error))
        except PkiError as error:
            return Outcome(AGAIN, Text(texts.NOT_YET, {"gate": self._name, "why": error}))
        return self._finished()

    def _finished(self) -> Outcome:
        try:
            until = certificate_state(self._certificate).expires_utc
        except TlsError as error:
            return _bad(str(error))
        outcome = Outcome(
            DONE, Text(texts.ENROLLED, {"gate": self._name, "until": f"{until:%Y-%m-%d}"})
        )
        # Before the last step: after it nothing would be left to do, nor to report.
        self._card.report(outcome.text())
        if self._card.wipe_token():
            with suppress(OSError):  # of use no more; the next token writes its own
                self._using_path.unlink()
        return outcome

    # -------------------------------------------------------------------------- what is not right

    def _wrong_folder(self) -> str | None:
        """Return what is wrong with the paths of the certificate: it is changed as one folder."""
        tls, folder = self._settings.tls, self._certificate.parent
        for key, path, name in (
            ("ca", tls.ca, identity.AUTHORITY),
            ("certificate", tls.certificate, identity.CERTIFICATE),
            ("key", tls.key, identity.KEY),
        ):
            if path != folder / name:
                return Text(
                    texts.NO_FOLDER,
                    {"key": f"[tls] {key}", "path": str(path), "right": folder / name},
                )
        return None

    def _wrong_server(self, token: Token, url: str) -> str | None:
        if not url.startswith("https://"):
            return texts.NO_URL
        pem = self._card.read(AUTHORITY)
        if pem is None:
            return None
        try:
            der = ssl.PEM_cert_to_DER_cert(pem.decode("ascii").strip())
        except ValueError:
            return texts.OTHER_SITE
        return None if hashlib.sha256(der).hexdigest() == token.fingerprint else texts.OTHER_SITE

    # ------------------------------------------------------------------------- which token is used

    def _note(self, token: Token) -> None:
        if self._using().get("token") != token.id:
            content = {"token": token.id, "before": self._digest()}
            replace_file(self._using_path, json.dumps(content).encode(), _MODE)

    def _is_enrolled(self, token: Token | None = None) -> bool:
        """Return whether the certificate that is there came by this token, or the one in use."""
        using = self._using()
        if not using or (token is not None and using.get("token") != token.id):
            return False
        return self._digest() not in ("", using.get("before"))

    def _using(self) -> Mapping[str, object]:
        content = read_file(self._using_path)
        with suppress(ValueError):
            found = json.loads(content or b"{}")
            return found if isinstance(found, dict) else {}
        return {}

    def _digest(self) -> str:
        content = read_file(self._certificate)
        return "" if content is None else hashlib.sha256(content).hexdigest()


def _bad(why: str) -> Outcome:
    return Outcome(WRONG, Text(texts.BAD_TOKEN, {"why": why}))
