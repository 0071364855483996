"""No secret is in a log, a status, an event or a bundle: canaries are planted, and all is searched.

A site with both processes and a broker with TLS lives through good and bad days. What its people
show, its keys, tokens and passwords are then looked for in all that it said and kept, in each form
in which a program gives something away.
"""

import json
import re
import stat
import tarfile

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from .canary_codes import CARDS
from .canary_forms import Canary, leaks, search
from .canary_site import SUBJECTS, WIFI_PASSWORD
from .canary_story import MISTAKES, WRONG_SECRET, lived
from .test_demo import needs_mosquitto

pytestmark = [pytest.mark.processes, needs_mosquitto]
# What a server pushes goes through its own hands and the broker's, and is kept by the link until
# another one is in force (services/PRIVACY.md).
PUSHED = ("desk/pushed.csv", "mqtt/gatepost_s_g_chunk_*", "gate/link/incoming/*", "office/broker-*")
# Keys and secrets, by where they live. All other places are wrong.
KEYS = {
    "key of the site's authority": ("office/authority/ca.key",),
    "key of the authority's server": ("office/authority/est.pem",),
    "key of the gate": ("gate/etc/tls/*/device.key",),
    "key of the gate's heads": ("gate/state/device.key",),
    "key of the centre": ("office/centre.key",),
    "key of the broker": ("office/server-*.key", "office/broker-*/server.key"),
    "key of the trust list": ("desk/root.pem",),
    "key of an administrator": ("desk/admin.pem",),
    "key of passes": ("desk/passes.pem",),
}
# Where a subject, which is an opaque id, may be: in events and what is made of them.
OF_SUBJECTS = (
    *("desk/*", "office/broker-*", "gate/state/journal.db*", "gate/state/roster.db*"),
    *("gate/state/whereabouts.db*", "gate/state/ledger.json", "gate/link/incoming/*"),
    *("mqtt/gatepost_s_g_event_*", "mqtt/gatepost_s_g_chunk_*", "out/*-journal-export*"),
    # Of a file of facts, that somebody wrote by hand.
    *("out/*-roster-export*", "out/*-decide*"),
)


def private(path, name, places):
    """Return what there is of a private key: its bytes as a file has them, and the number alone."""
    key = load_pem_private_key(path.read_bytes(), None)
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    numbers = getattr(key, "private_numbers", None)
    number = numbers().private_value.to_bytes(32) if numbers else key.private_bytes_raw()
    return [Canary(name, der, places), Canary(f"{name}, its number", number, places)]


def keys(folder):
    """Return the canaries of all keys; each must be there."""
    found = []
    for name, places in KEYS.items():
        paths = [path for place in places for path in sorted(folder.glob(place))]
        assert paths, name
        for path in paths:
            found += private(path, name, places)
    for name, place in {"key of the roster": "roster.key", "secret of steps": "step.key"}.items():
        secret = bytes.fromhex((folder / "gate/etc" / place).read_text())
        found.append(Canary(name, secret, (f"gate/etc/{place}",)))
    return found


def of_people(codes):
    """Return the canaries of people: what they showed, their cards, who they are."""
    cards = {
        "known": ("desk/people.csv", "desk/wrong-?.csv", *PUSHED),
        "feverish": ("desk/people.csv", "desk/wrong-?.csv", *PUSHED),
        "pushed": PUSHED,
        "unknown": (),
    }
    return [
        *codes.canaries(),
        *(
            Canary(f"{name} card", CARDS[name], places, is_number=True)
            for name, places in cards.items()
        ),
        *(Canary(f"{who}, by id", id_.encode(), OF_SUBJECTS) for who, id_ in SUBJECTS.items()),
    ]


def of_the_card(token, wifi_key):
    """Return the canaries of what is on a card, and of what people typed."""
    cards = (
        "card/network-config",
        "desk/cards/*/network-config",
        "desk/broken-card/network-config",
    )
    mistakes = ("desk/broken.toml", "desk/broken-card/gatepost.toml")
    return [
        Canary("token", token.encode(), ("desk/cards/*/enrolment-token",)),
        Canary("wrong token", WRONG_SECRET.encode()),
        Canary("key of the Wi-Fi", wifi_key.encode(), cards),
        Canary("password of the Wi-Fi", WIFI_PASSWORD.encode(), ("desk/wifi.toml",)),
        *(Canary(name, text.encode(), mistakes) for name, text in MISTAKES.items()),
    ]


def open_to_others(folder, found):
    """Return the files of the gate that hold a secret and that others on the machine may read."""
    files = {each.file for each in found if each.file.startswith("gate/")}
    assert len(files) >= 5  # two keys of TLS, one of heads, one of the roster, one of steps
    modes = {name: stat.S_IMODE((folder / name).stat().st_mode) for name in files}
    return [f"{name}: {mode:04o}" for name, mode in modes.items() if mode not in (0o600, 0o640)]


def happened(site):
    """Return the events of the journal, by type; the last part of the type names it."""
    found = {}
    (path,) = site.out.glob("*-journal-export.txt")
    for line in path.read_text().splitlines():
        if line.startswith("{"):
            event = json.loads(line)
            found.setdefault(event["type"].removeprefix("gatepost."), []).append(event["data"])
    return found


def measured(events):
    """Return what the thermometer said of people, as it is written."""
    data = [each for name, each in events.items() if name.startswith("visit.")]
    texts = {repr(value) for each in data for one in each for value in _temperatures(one)}
    return sorted(text for text in texts if len(text.partition(".")[2]) >= 2)


def _temperatures(data):
    for name, value in data.items():
        if name.endswith("_c") and isinstance(value, float):
            yield value


def with_temperatures(site, texts):
    """Return which of what no temperature belongs into has one."""
    sought = re.compile(rf"(?<![\d.])(?:{'|'.join(map(re.escape, texts))})(?!\d)")
    places = [*site.log.iterdir(), *site.systemd.iterdir(), *site.out.glob("watch*")]
    places += [*site.out.glob("*-lane-*"), *site.mqtt.glob("*_status"), *site.mqtt.glob("*report*")]
    return [path.name for path in places if sought.search(path.read_text())]


def check_that_it_was_lived(site, events):
    """See that there was something to give away, everywhere."""
    assert {
        *("visit.admitted", "visit.referred", "visit.denied", "visit.abandoned", "proof.refused"),
        *("controller.failed", "fault.raised", "fire.raised", "document.applied"),
        *("command.obeyed", "command.refused", "passage.entered", "passage.left"),
    } <= set(events)
    log = (site.log / "gate.log").read_text()
    assert log.count("a pass was refused") >= 4
    assert log.count("a certificate was refused") >= 4
    assert "a fault of ours" in log
    assert "settings" in [each["fault"] for each in events["fault.raised"]]
    assert "READY=1" in (site.systemd / "notified.txt").read_text()
    topics = {path.name.removeprefix("gatepost_s_g_") for path in site.mqtt.iterdir()}
    assert {"status", "reported", "presence", "head", "event_backlog", "event_live"} <= topics
    assert {"event_alarm", "event_replay", "desired_roster", "fetch"} <= topics
    assert "homeassistant_device_s_g_config" in topics
    for name in ("running", "stopped"):
        with tarfile.open(site.out / f"{name}.tar.gz") as archive:
            log = archive.extractfile("gatepost-doctor/log.txt").read().decode()
            assert "a pass was refused" in log
    assert not (site.card / "enrolment-token").exists()


def test_a_site_gives_nothing_away(tmp_path):
    site, of_card = lived(tmp_path)
    events = happened(site)
    check_that_it_was_lived(site, events)
    secrets = [*keys(site.folder), *of_the_card(*of_card)]
    canaries = [*secrets, *of_people(site.codes)]
    found = search(site.folder, canaries)
    assert leaks(found) == []
    where = {canary: {each.file for each in found if each.canary is canary} for canary in canaries}
    for canary in canaries:  # what is looked for is found where it lives
        assert bool(where[canary]) is bool(canary.homes), canary.name
    assert open_to_others(site.folder, [each for each in found if each.canary in secrets]) == []
    (erased,) = (files for each, files in where.items() if each.name == "feverish, by id")
    assert not [name for name in erased if "roster.db" in name]
    texts = measured(events)
    assert len(texts) >= 4
    assert with_temperatures(site, texts) == []
    site.ask("factory-reset", "--yes", "g", "--boot", site.card)
    assert [str(each) for each in search(site.gate, canaries)] == []
    # A leak that was not there is found.
    with (site.log / "gate.log").open("a") as file:
        file.write(f"DEBUG token {of_card[0]}\n")
    assert leaks(search(site.log, secrets)) == ["token in gate.log, as it is"]
