"""The certificates of the link: there, fitting, of this site's authority, and in date."""

import ssl
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import wraps
from pathlib import Path

from gatepost.doctor.access import LINK_USER, account, may_open
from gatepost.doctor.model import Finding, Fine, Skipped, Wrong
from gatepost.doctor.site import Site
from gatepost.wiring.trusted_clock import is_trusted, trusted_now
from gatepost_services.uplink.tls import TlsError, certificate_state, client_context

_PLAIN = Fine('none is used: [link] transport = "plain"')
# OpenSSL's X509_V_FLAG_NO_CHECK_TIME: when they end is another check's business.
_NO_CHECK_TIME = 0x200000
# X509_V_ERR_*: self-signed, no issuer found, an issuer's signature that does not fit.
_FOREIGN = {7, 18, 19, 20, 21, 24, 29, 30}


def _where_secured(look: Callable[[Site], Finding]) -> Callable[[Site], Finding]:
    """Return a check that has nothing to look at where the settings say that nothing is secured."""

    @wraps(look)
    def checked(site: Site) -> Finding:
        return _PLAIN if site.settings.link.transport == "plain" else look(site)

    return checked


@_where_secured
def present(site: Site) -> Finding:
    """See whether the three files are there, and the link's user may read them."""
    tls, who = site.settings.tls, account(site, LINK_USER)
    for path in (tls.ca, tls.certificate, tls.key):
        try:
            if who is not None and not may_open(who, path):
                return Wrong("unreadable", {"path": path, "user": LINK_USER})
            with path.open("rb"):
                pass
        except FileNotFoundError:
            return Wrong("missing", {"path": path})
        except OSError as error:
            return Skipped(
                "{path}: {why}; begin the command with sudo",
                {"path": path, "why": error.strerror},
            )
    return Fine("in {folder}", {"folder": tls.certificate.parent})


@_where_secured
def pair(site: Site) -> Finding:
    """See whether the files make a connection, the date aside."""
    try:
        client_context(site.settings.tls, None)
    except TlsError as error:
        name = "mismatch" if "does not fit" in str(error) else "damaged"
        return Wrong(name, {"why": error, "key": site.settings.tls.key})
    return Fine("certificate and key belong together")


@_where_secured
def chain(site: Site) -> Finding:
    """See whether the site's authority, and no other, issued this gate's certificate."""
    tls = site.settings.tls
    code = _verify_code(tls.ca, tls.certificate, tls.key)
    if code in _FOREIGN:
        return Wrong("foreign", {"certificate": tls.certificate, "ca": tls.ca})
    return Fine("{ca} vouches for it", {"ca": tls.ca})


def _verify_code(ca: Path, certificate: Path, key: Path) -> int:
    """Return what OpenSSL says of a certificate held against an authority, 0 for well.

    The standard library verifies in a handshake only; so one is made in memory, with the
    certificate at both ends, of which one is asked to prove it.
    """
    asking = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    asking.verify_mode = ssl.CERT_REQUIRED
    asking.verify_flags |= ssl.VerifyFlags(_NO_CHECK_TIME)
    asking.load_verify_locations(ca)
    proving = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    proving.check_hostname = False
    proving.verify_mode = ssl.CERT_NONE
    for context in (asking, proving):
        context.load_cert_chain(certificate, key)
    to_asking, to_proving = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        proving.wrap_bio(to_proving, to_asking),
        asking.wrap_bio(to_asking, to_proving, server_side=True),
    )
    for _ in range(4):
        for end in ends:
            try:
                with suppress(ssl.SSLWantReadError):
                    end.do_handshake()
            except ssl.SSLCertVerificationError as error:
                return int(error.verify_code)
            except ssl.SSLError:  # the other end's complaint, which was returned above
                return 0
    return 0


@_where_secured
def dates(site: Site) -> Finding:
    """See whether the certificate counts today, and for how long."""
    tls = site.settings.tls
    try:
        state = certificate_state(tls.certificate)
    except TlsError as error:
        return Skipped(str(error))
    ends = f"{state.expires_utc:%Y-%m-%d}"
    if not is_trusted(site.clock):
        return Skipped("it ends on {ends}; the clock is not to be trusted", {"ends": ends})
    now = trusted_now(site.clock) or datetime.now(UTC)
    values = {"certificate": tls.certificate, "ends": ends}
    if now > state.expires_utc:
        return Wrong("ended", values)
    if now < state.begins_utc:
        return Wrong("early", {**values, "begins": f"{state.begins_utc:%Y-%m-%d}"})
    if state.expires_utc - now < timedelta(days=tls.warn_days):
        return Wrong("ends", values)
    return Fine("until {ends}", values)
