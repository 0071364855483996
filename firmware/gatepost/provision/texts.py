"""What provisioning says to people: the label on the box, and the first boot's report.

English, here and nowhere else. The terminal says a `Text` in the user's language; what goes onto a
card stays English, for whoever reads it.
"""

from collections.abc import Iterable

from gatepost.core.words import Text
from gatepost_config.settings import Settings

# The report on the card: one line in plain words, and what is wrong below it.
CONFIGURED = Text("ok: {gate} has its settings.")
ENROLLED = Text("ok: {gate} has its settings, and its certificate, which counts until {until}.")
WAITS = Text(
    "ok: {gate} has its settings. Its certificate is fetched as soon as the network is there."
)
NOT_YET = Text(
    "error: {gate} has its settings and no certificate yet: {why}. It goes on trying by itself; the"
    " token is kept on this card."
)
NO_TOKEN_FOR_ANOTHER = Text(
    "ok: {gate} has its settings; it was {old}. Its certificate is not for it yet: make a token"
    " (gatepost pki token) and enrol (gatepost enrol)."
)
REFUSED = Text(
    "error: this gate is {old}, and gatepost.toml on this card is of {gate}. Nothing was changed."
    " The wrong card? Then use the other. If it shall be {gate} from now on, run on the gate: sudo"
    " gatepost first-boot --again"
)
WRONG_SETTINGS = Text("error: gatepost.toml on this card cannot be used, and nothing was changed.")
KEPT = Text("The gate goes on with the settings that it has.")
REPAIR = Text("Correct the file on this card and start the gate again; what is wrong:")
NO_SETTINGS = Text(
    "error: there is an enrolment-token on this card and this gate has no settings: {why} Copy the"
    " whole folder of this gate to the card."
)
BAD_TOKEN = Text(
    "error: enrolment-token on this card cannot be used: {why}. Copy the whole folder of this gate"
    " to the card again, or make a new one with gatepost provision."
)
NO_FOLDER = Text("{key} = {path!r}: it must be {right}, or the certificate is put there by hand")
OTHER_SITE = Text("it is of another authority than site-ca.pem")
NO_URL = Text("its second line does not say where to enrol, https://HOST:PORT")
DAMAGED_TOKEN = Text("the file is damaged")
DISK = Text(
    "error: {why}. Is the card worn out or write-protected, or the disk full? The gate tries again"
    " at its next start."
)
WIPED = Text("the token is used up, and wiped from the card")
NOTHING_TO_FINISH = Text("nothing more to do at the card")
NOTHING_TO_DO = Text("nothing to do: no gatepost.toml and no enrolment-token on the card")


def name_of(settings: Settings) -> str:
    """Return a gate's name, as everywhere: SITE/GATE."""
    return f"{settings.gate.site}/{settings.gate.name}"


_LABEL = """\
GATE    {site} / {gate}
HOST    {host}

Write "{site} / {gate}" on the box, and on the card.

broker     {broker}
network    {network}
enrolment  {enrolment}
sensor     MLX90614 {part} on /dev/i2c-{bus}, {distance:g} cm to the forehead
turnstile  {passage}, {release}, free for {hold:g} s

PINS (BCM numbers)
{pins}

THE CARD
1. Write Raspberry Pi OS (trixie) with Gatepost to the card.
2. Copy every file of this folder to its first partition (bootfs).
3. At the end of config.txt there, write (hal/WIRING.md says why):
       dtparam=strict_gpiod
       dtoverlay=i2c-gpio,bus={bus},i2c_gpio_sda=2,i2c_gpio_scl=3
4. Put it into the gate, switch on, wait five minutes.
5. gatepost-first-boot.txt on the same partition then begins with "ok".
   It says what to do when it begins with "error". No such file: Gatepost
   did not run; is gatepost.toml there, with exactly that name?
{secrets}"""
_SECRETS = "\nSecret here: {names}. Delete this folder when the gate is up.\n"
SECRET_TOKEN, SECRET_WIFI = "the token", "the key of the Wi-Fi"
_MOST_PINS_A_LINE = 3


def label(
    *,
    names: tuple[str, str, str],
    broker: str,
    network: str,
    enrolment: str,
    sensor: tuple[str, int, float],
    turnstile: tuple[str, str, float],
    pins: Iterable[tuple[str, int]],
    secrets: tuple[str, ...],
) -> str:
    """Return LABEL.txt, one page.

    Args:
        names: site, gate, host.
        broker: host and port.
        network: in words.
        enrolment: in words.
        sensor: part, bus, distance in cm.
        turnstile: what it tells of a turn, how it is released, for how long in seconds.
        pins: name and BCM number of what is wired.
        secrets: what of the folder is secret.
    """
    shown = [f"{name:<17} {line:>2}" for name, line in pins]
    lines = [
        "   ".join(shown[start : start + _MOST_PINS_A_LINE])
        for start in range(0, len(shown), _MOST_PINS_A_LINE)
    ]
    site, gate, host = names
    part, bus, distance_cm = sensor
    passage, release, hold_s = turnstile
    return _LABEL.format(
        site=site,
        gate=gate,
        host=host,
        broker=broker,
        network=network,
        enrolment=enrolment,
        part=part,
        bus=bus,
        distance=distance_cm,
        passage=_PASSAGES[passage],
        release=_RELEASES[release],
        hold=hold_s,
        pins="\n".join(lines),
        secrets=_SECRETS.format(names=" and ".join(secrets)) if secrets else "",
    )


_PASSAGES = {
    "none": "tells nothing of a turn",
    "single": "one contact tells of a turn",
    "per_direction": "a contact for each way",
}
_RELEASES = {"hold": "relay held", "pulse": "relay pulsed"}
WIRED = "wired"
OVER_WIFI = "Wi-Fi {name}, {country}; wired too"
_BELOW = "\n           "
BY_TOKEN = "by token" + _BELOW + "at {url}"
BY_TOKEN_UNTIL = "by token, good until {until:%Y-%m-%d %H:%M} UTC" + _BELOW + "at {url}"
BY_HAND = "by hand: services/SECURITY.md" + _BELOW + "gatepost pki issue gate {gate} --out FOLDER"
