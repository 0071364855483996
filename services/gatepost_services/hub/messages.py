"""What the server's side of MQTT is given and gives: brokers, messages, posts. No MQTT library."""

import re
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

REFUSED = 0x80  # from here on a reason code of MQTT 5 says no
_ALERT = re.compile(r"\[SSL: \w*ALERT_(\w+)\]")


class _Closed(ssl.SSLSocket):
    """A socket that is closed when its handshake fails. paho only forgets it."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT002 - as it is called
        try:
            super().do_handshake(block)
        except (OSError, ValueError):
            self.close()
            raise


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is, and how it is spoken to.

    `tls` makes the context of one connection (`uplink.tls.client_context` with the settings); None
    is plain TCP. What it raises of OSError and ValueError counts as a connection that failed.
    """

    host: str
    port: int
    protocol: Literal["5", "3.1.1"] = "5"
    tls: Callable[[], ssl.SSLContext] | None = None

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    def context(self) -> ssl.SSLContext | None:
        """Return what secures one connection, None for plain TCP. Raises what `tls` raises."""
        if self.tls is None:
            return None
        made = self.tls()
        made.sslsocket_class = _Closed
        return made


class Incoming(NamedTuple):
    """A message as it came. `is_retained`: the broker had it before we came.

    `response_topic`, `correlation`: MQTT 5, where and with what the sender wants its answer.
    """

    topic: str
    payload: bytes
    is_retained: bool
    response_topic: str | None = None
    correlation: bytes | None = None


class Outgoing(NamedTuple):
    """What to publish, with QoS 1. All but the first three are of MQTT 5, and left out with 3.1.1.

    `expiry_s`: the broker forgets it then.
    """

    topic: str
    payload: bytes
    is_retained: bool = False
    content_type: str | None = None
    response_topic: str | None = None
    correlation: bytes | None = None
    expiry_s: int | None = None


class Ticket:
    """Follows one post. For any thread."""

    def __init__(self, post: Outgoing) -> None:
        self.post = post
        self.reason: int | None = None
        self._done = threading.Event()

    def wait(self, timeout_s: float) -> bool:
        """Wait for the broker's answer; return whether it took the post.

        False: not within the time (`reason` is None), or refused, with the `reason` of MQTT 5, 0x80
        or above.
        """
        self._done.wait(timeout_s)
        return self.reason is not None and self.reason < REFUSED

    def settle(self, reason: int) -> None:
        """Note the broker's answer."""
        self.reason = reason
        self._done.set()


def in_words(error: Exception) -> str:
    """Return what kept a connection from being made, for people. "It" is the broker."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate does not hold: {error.verify_message}"
    if isinstance(error, ssl.SSLError) and error.reason:
        return f"no TLS with it: {error.reason.lower().replace('_', ' ')}"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def alert_in(text: str) -> str | None:
    """Return what an error's text says of the broker's refusal of our certificate, if it does."""
    told = _ALERT.search(text)
    return told and f"it refuses our certificate: {told[1].lower().replace('_', ' ')}"
