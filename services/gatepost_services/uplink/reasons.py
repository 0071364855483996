"""Reason codes of MQTT in plain words, each with what to do about it. Pure.

MQTT 5.0, section 2.4; the codes of MQTT 3.1.1 (1 to 5 in a CONNACK) are given as those of 5.
"""

NOT_AUTHORISED = 0x87
TOO_LARGE = 0x95
QUOTA_EXCEEDED = 0x97
_ACL = "see the broker's access list"
_WORDS = {
    0x10: "nobody has subscribed",
    0x81: "it found a packet malformed; tell us, with the broker's name and version",
    0x82: "it found an error of protocol; tell us, with the broker's name and version",
    0x83: "it says no, and not why; see its log",
    0x84: 'it does not speak this version of MQTT; set [link] mqtt_version = "3.1.1"',
    0x85: "it does not take the client's identifier; see its rules for identifiers",
    0x86: "bad user name or password; see the broker's users, and its"
    " use_identity_as_username where certificates name them",
    NOT_AUTHORISED: f"not authorised; {_ACL}, and that the certificate is this gate's",
    0x88: "the server is unavailable; see the broker's log",
    0x89: "the server is busy",
    0x8A: "this client is banned; see the broker's list of those",
    0x8B: "the server is shutting down",
    0x8C: "bad authentication method; this link knows certificates only",
    0x8D: "it has heard nothing from us for too long; see the line, and [link] keepalive_s",
    0x8E: "another client has come with our name: two links of one gate, or two gates of one"
    " name; see [gate] name",
    0x8F: f"it takes no such filter of topics; {_ACL}",
    0x90: "it takes no such topic; see its rules for topics",
    0x91: "a packet's number is in use",
    0x93: "we sent more than it takes at once; set [link] window lower",
    TOO_LARGE: "the packet is too large; raise its max_packet_size",
    0x96: "we send too fast for it; set [link] backlog_rate lower",
    QUOTA_EXCEEDED: "a quota is used up; see its limits",
    0x98: "its administrator ended the connection",
    0x99: "the content is not of its form",
    0x9A: "it keeps no retained messages; use a broker that does",
    0x9B: "it takes no QoS 1; use a broker that acknowledges",
    0x9C: "for now another server is to be used; see [link] broker_host",
    0x9D: "the server has moved; set [link] broker_host",
    0x9F: "it takes no more connections at this rate",
    0xA0: "the connection has lasted as long as it may",
}


def words(reason: int, name: str, *, said: str | None = None, other: str | None = None) -> str:
    """Return what a reason code means.

    Args:
        reason: of MQTT 5.
        name: how the standard calls it.
        said: the broker's own words ("reason string").
        other: the server to use instead ("server reference").
    """
    text = f"{name} (0x{reason:02X})"
    if reason in _WORDS:
        text += f": {_WORDS[reason]}"
    if other:
        # Told, not followed: where the gate's events go, its own configuration says.
        text += f"; it names {_printable(other)}"
    if said:
        text += f"; in its own words: {_printable(said)}"
    return text


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text[:200])
