"""What the link needs of a connection to a broker. No MQTT library here."""

from typing import Protocol


class SessionError(OSError):
    """The connection to the broker is lost, refused, or could not be made."""


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
    def is_subscription_refused(self) -> bool:
        """Whether the broker has refused one of our subscriptions."""
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

    def take_messages(self) -> list[tuple[str, bytes]]:
        """Return topic and payload of what came since the last call, the last few of them."""
        ...

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int:
        """Send one event; return its number on this connection. Raises SessionError."""
        ...

    def take_acked(self) -> list[tuple[int, int]]:
        """Return the acknowledgements since the last call: number, and 0 if it was kept.

        Otherwise the reason code of MQTT 5 for which the broker dropped it.
        """
        ...

    def close(self) -> None:
        """End the connection. Never raises."""
        ...
