"""Settings of the way to the central server: broker, certificates, Home Assistant."""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

NAME_FORM = r"^[a-z0-9][a-z0-9-]{0,62}\Z"
# A name, or an address of either kind. Not what else people write before and behind one: a user
# with a password would be told to whoever sees the settings.
_HOST_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}"
_ADDRESS_6 = r"[0-9A-Fa-f:][0-9A-Fa-f:.]{1,44}(%[A-Za-z0-9_.-]{1,15})?"
HOST_FORM = rf"^({_HOST_NAME}|{_ADDRESS_6})\Z"


class Link(Struct, frozen=True, forbid_unknown_fields=True):
    """The way to the central server."""

    broker_host: Annotated[str, Meta(pattern=HOST_FORM)]
    broker_port: Annotated[int, Meta(ge=1, le=65535)] = 8883
    # "plain" sends health data and passes in the clear: for a broker on this machine, or a test.
    transport: Literal["tls", "plain"] = "tls"
    mqtt_version: Literal["5", "3.1.1"] = "5"
    keepalive_s: Annotated[int, Meta(ge=5, le=1200)] = 30
    # Whether an event that the broker takes while nobody subscribes counts as not delivered
    # (MQTT 5 only). False where the server reads events without a subscription, as rule engines do.
    hold_without_subscriber: bool = True
    # Events that are sent and not yet noted on disk as arrived: a kill may repeat so many. The
    # broker's own receive maximum may make it fewer that are on their way at once.
    window: Annotated[int, Meta(ge=1, le=5000)] = 500
    # Events a second of what the gate made while there was no connection; 0 is without a limit.
    # Alarms and what is new are never held back by it.
    backlog_rate: Annotated[float, Meta(ge=0, le=1_000_000)] = 500.0
    # When an event counts as delivered: when the broker acknowledges it, or when the server says
    # so by its watermark. A broker may acknowledge an event and lose it.
    keep_until: Literal["puback", "watermark"] = "watermark"
    # How long the server may leave acknowledged events unconfirmed before they are sent again.
    confirm_timeout_s: Annotated[float, Meta(ge=10, le=86_400)] = 900.0
    # How often the retained status is published; it also is at each connection.
    status_s: Annotated[float, Meta(ge=5, le=86_400)] = 60.0
    # Longest pause between two attempts to connect; the actual one is random (full jitter).
    reconnect_max_s: Annotated[float, Meta(ge=1, le=3600)] = 60.0
    # For how long the broker keeps commands for a link that is away (MQTT 5).
    session_expiry_s: Annotated[int, Meta(ge=0, le=604_800)] = 3600
    # The broker tells that this gate is lost when it was away for so long (MQTT 5).
    will_delay_s: Annotated[int, Meta(ge=0, le=3600)] = 30


class Tls(Struct, frozen=True, forbid_unknown_fields=True):
    """Who the broker and this gate are to one another. `gatepost enrol` writes these files."""

    # Who may vouch for the broker: the site's authority, and nobody of the system's.
    ca: Path = Path("/etc/gatepost/tls/ca.pem")
    # Certificate and key of this gate. Replaced while the link runs, they count at once.
    certificate: Path = Path("/etc/gatepost/tls/device.pem")
    key: Path = Path("/etc/gatepost/tls/device.key")
    # Certificates that no longer count. "/dev/null": there is no such list.
    revoked: Path = Path("/dev/null")
    # So long before it ends a certificate is told of.
    warn_days: Annotated[float, Meta(ge=0, le=365)] = 30.0


class HomeAssistant(Struct, frozen=True, forbid_unknown_fields=True):
    """Whether the gate shows itself to a Home Assistant on the same broker: it sees, no more."""

    enabled: bool = False
    # Where Home Assistant looks for what there is.
    prefix: Annotated[str, Meta(pattern=NAME_FORM)] = "homeassistant"
