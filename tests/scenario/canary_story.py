"""What happens at the site of the canaries, from the card to the day the gate is looked into."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gatepost_services.pki.tokens import Token

from .canary_codes import CARDS, STATE, WELL_C, visit
from .canary_site import SUBJECTS, Site

# A token of the right form that nobody has made.
WRONG_SECRET = "Kanarienvogel0123456789abcdefghijklmnopqrst"
MISTAKES = {
    "password in the settings": "kanarienvogel-hunter2",
    "token in the settings": "kanarienvogel-token-77",
    "name and password in the settings": "anna:kanarienvogel-33",
}
BEHIND_S = 900.0


def first_boot(site: Site) -> tuple[str, str]:
    """Configure and enrol the gate from its card; return the token's secret and the Wi-Fi's key."""
    site.prepare()
    line = (site.card / "enrolment-token").read_text().splitlines()[0]
    token = Token.parse(line)
    _, _, after = (site.card / "network-config").read_text().partition('"password": "')
    words = ("--boot", site.card, "--config", site.config)
    site.run("first-boot", *words, "--no-enrol")
    wrong = f"{token.id}.{WRONG_SECRET}.{token.fingerprint}"
    enrolling = ("enrol", "-", "--url", site.url, "--config", site.config)
    site.run(*enrolling, status=1, typed=f"{wrong}\n")
    site.run(*enrolling, status=1, typed=f"{line[5:]}\n")  # torn
    site.run("enrol", wrong[:-9], "--url", site.url, "--config", site.config, status=1)
    site.run("first-boot", *words)
    site.run(*enrolling, status=1, typed=f"{line}\n")  # used
    site.run("enrol", "--renew", "--force", "--url", site.url, "--config", site.config)
    return token.secret, after.partition('"')[0]


@contextmanager
def with_mistakes(site: Site) -> Iterator[None]:
    """Let somebody write into the gate's settings what has no place there; then as it was."""
    good = site.config.read_text()
    password, token, login = MISTAKES.values()
    wrong = good.replace("[link]", f'[link]\npassword = "{password}"\nlogin = "{login}"', 1)
    site.config.write_text(wrong.replace("[gate]", f'[gate]\napi_token = "{token}"', 1))
    yield
    site.config.write_text(good)


def settle_in(site: Site) -> None:
    """Give the gate its roster and its keys; some of it is wrong at first."""
    people = (site.desk / "people.csv").read_text().splitlines()
    for number, wrong in enumerate(
        (
            [*people, people[1]],  # a credential twice
            [*people, people[1].replace("resident", "visitor"), people[2] + ",too,many"],
            [*people, f'"{people[1]}'],
            [people[0], people[1].replace(",", " ,", 1)],
            ["name,card", *people[1:]],
        )
    ):
        (site.desk / f"wrong-{number}.csv").write_text("\n".join([*wrong, ""]))
        site.ask("roster", "import", f"wrong-{number}.csv", status=1)
    site.ask("roster", "import", "people.csv")
    site.trust_list(STATE)


def first_life(site: Site) -> None:
    """Everybody comes while no server is there; then the gate fails, and is killed."""
    done = site.start_gate([*site.codes.steps(), {"do": "crash"}], behind_s=BEHIND_S)
    site.wait(lambda: site.has_ended("gate"))
    assert not done.exists()
    site.end("gate")
    with with_mistakes(site):
        done = site.start_gate([], behind_s=0.0)
        site.wait(done.exists)
    site.ask("lane", "status")
    site.ask("lane", "status", "--json")
    site.end("gate")


def second_life(site: Site) -> None:
    """The link brings what waits; people, commands, documents; both are killed, and come back."""
    site.start_link()
    site.heard("event/backlog", "status", "reported")
    card = CARDS["known"].hex().upper().encode()
    done = site.start_gate([visit(WELL_C, [card])], behind_s=0.0)
    site.wait(done.exists)
    site.heard("event/live")
    to = ("--config", site.config)
    files = ("--cert", site.centre.certificate, "--cert-key", site.centre.key, "--by", "anna")
    send = ("command", "send", "g", "--wait", "60", *to, *files)
    site.run(*send, "lock", "--key", "admin.pem", status=None)
    site.run(*send, "unlock", "--key", "admin.pem", status=None)
    site.run(*send, "lock", "--key", "passes.pem", status=1)  # may not
    site.run(*send, "replay", "--first", "1", "--last", "30", "--key", "admin.pem", status=None)
    push = ("desired", "push", "roster", "pushed.csv", "--gate", "g", "--key", "admin.pem", *to)
    site.run(*push, *files[:4], "--wait", "60")
    site.ask("lane", "status", "--json")
    site.end("link")
    with with_mistakes(site):
        site.start_link()
        site.wait(lambda: "no such setting" in (site.log / "link.log").read_text())
    site.watch("--json")
    site.watch()
    site.doctor(*to, "--bundle", site.out / "running.tar.gz")


def looked_into(site: Site) -> None:
    """Somebody looks at all that there is, with the gate off."""
    to = ("--config", site.config)
    for name in ("gate", "link"):
        site.end(name)
    for words in (
        ("journal", "stats"),
        ("journal", "verify", "--json"),
        ("journal", "export"),
        ("journal", "export", "--format", "csv"),
        ("config", "check"),
        ("config", "show"),
        ("config", "show", "--json"),
        ("roster", "show"),
        ("roster", "export"),
        ("trust", "show"),
        ("regime", "status"),
        ("doctor", "--json"),
    ):
        site.ask(*words, status=None)
    site.run("pki", "list", "--dir", site.rig.authority.folder)
    _decided(site)
    _broken_settings(site)
    site.doctor(*to, "--bundle", site.out / "stopped.tar.gz")
    site.run("erase", SUBJECTS["feverish"], "--yes", *to)
    site.ask("factory-reset", "--dry-run", "--boot", site.card)


def _decided(site: Site) -> None:
    facts = [{"category": "resident", "direction": "entry"}, {"category": SUBJECTS["known"]}]
    (site.desk / "facts.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in facts))
    site.run("decide", "--regime", "medium-risk", "facts.jsonl", status=None)


def _broken_settings(site: Site) -> None:
    """Settings into which somebody wrote what has no place there."""
    path = site.desk / "broken.toml"
    with with_mistakes(site):
        shutil.copy(site.config, path)
    for words in (
        ("config", "check"),
        ("config", "show"),
        ("lane", "status"),
        ("doctor", "--bundle", site.out / "broken.tar.gz"),
    ):
        site.ask(*words, config=path, status=None)
    site.run("config", "diff", site.config, path, status=None)
    site.ask("config", "apply", path, "--yes", status=2)
    card = site.desk / "broken-card"
    shutil.copytree(site.card, card)
    shutil.copy(path, card / "gatepost.toml")
    site.run("first-boot", "--boot", card, "--config", site.config, status=2)


def lived(folder: Path) -> tuple[Site, tuple[str, str]]:
    """Let all of it happen in a folder; return the site, and the secrets of its card."""
    site = Site(folder)
    with site:
        secrets = first_boot(site)
        settle_in(site)
        first_life(site)
        second_life(site)
        looked_into(site)
    return site, secrets
