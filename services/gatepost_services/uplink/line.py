"""What the link needs of a connection to a broker. No MQTT library here."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from gatepost_services.uplink.desk import Message, Post

# Messages that are not acknowledged, or not taken yet. The broker keeps to it (MQTT 5), and we read
# no further.
MOST_MESSAGES = 64


class SessionError(OSError):
    """The connection to the broker is lost, refused, or could not be made."""


class RefusedError(SessionError):
    """The broker refused something; the connection ends in good order."""


class NobodyError(RefusedError):
    """The broker kept no event, for nobody has subscribed to them; all else goes on."""


class Incoming(NamedTuple):
    """A message, and the number by which it is acknowledged: 0 where nothing is (QoS 0)."""

    message: Message
    mid: int


class Session(Protocol):
    """One connection, used once, driven by the link's loop. `MqttSession` is the real one."""

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the connection and it still stands."""
        ...

    @property
    def receive_maximum(self) -> int:
        """How many unacknowledged events the broker takes; known once `connected`."""
        ...

    @property
    def maximum_packet_bytes(self) -> int:
        """The largest packet that the broker takes; known once `connected`."""
        ...

    @property
    def refused_topics(self) -> Mapping[str, int]:
        """Which subscriptions the broker has refused, and with what reason code of MQTT 5."""
        ...

    @property
    def unanswered_topics(self) -> tuple[str, ...]:
        """For which subscriptions the broker has not answered yet, in the order of `subscribe`."""
        ...

    @property
    def has_unread(self) -> bool:
        """Whether something received waits that the socket does not show: call `on_readable`."""
        ...

    def packet_bytes(self, topic: str, payload: bytes) -> int:
        """Return how large the packet of an event is at the most."""
        ...

    def connect(self) -> None:
        """Open the connection; `connected` turns true later. Raises SessionError."""
        ...

    def fileno(self) -> int:
        """Return the socket's descriptor. Raises SessionError."""
        ...

    def wants_write(self) -> bool:
        """Whether bytes wait for room in the socket's buffer."""
        ...

    def on_readable(self) -> None:
        """Take what the broker sent. Raises SessionError."""
        ...

    def on_writable(self) -> None:
        """Send what waited for room. Raises SessionError."""
        ...

    def flush(self) -> None:
        """Send what `publish` has collected, as far as there is room. Raises SessionError."""
        ...

    def tick(self) -> None:
        """Keep the connection alive and notice that it is dead. Raises SessionError."""
        ...

    def subscribe(self, topic: str) -> None:
        """Ask for the messages of a topic. Raises SessionError."""
        ...

    def take_messages(self) -> list[Incoming]:
        """Return what came since the last call. More is read only after that."""
        ...

    def acknowledge(self, mid: int) -> None:
        """Tell the broker that a message is dealt with, and may be forgotten. Raises SessionError.

        What is not acknowledged comes again with another connection (MQTT 5).
        """
        ...

    def publish(self, topic: str, payload: bytes) -> int:
        """Send one event; return its number on this connection. Raises SessionError."""
        ...

    def post(self, post: Post) -> int:
        """Send what a desk says; return its number, as `publish`. Raises SessionError."""
        ...

    def take_acked(self) -> list[tuple[int, int]]:
        """Return the acknowledgements since the last call: number, and 0 if it was kept.

        Otherwise the reason code of MQTT 5 for which the broker dropped it.
        """
        ...

    def close(self, *, keeps_will: bool = False) -> None:
        """End the connection. Never raises.

        `keeps_will`: the broker tells of us as of one lost, unless we are back in time.
        """
        ...
