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

    def tick(self) -> None:
        """Keep the connection alive and notice that it is dead. Raises SessionError."""
        ...

    def publish(self, topic: str, payload: bytes) -> int:
        """Send one event; return its number on this connection. Raises SessionError."""
        ...

    def take_acked(self) -> list[tuple[int, bool]]:
        """Return the acknowledgements since the last call: number, whether it was kept."""
        ...

    def close(self) -> None:
        """End the connection. Never raises."""
        ...
