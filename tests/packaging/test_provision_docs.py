"""The page on provisioning says what is so: its commands run in its order, its tables are whole."""

import re
import shlex
import shutil
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from gatepost.cli.main import main
from gatepost.provision import card, columns, folders, texts
from gatepost_services.pki.authority import Authority
from gatepost_services.pki.est_server import EstServer

pytestmark = pytest.mark.packaging
ROOT = Path(__file__).parents[2]
CONFIG, UNITS = ROOT / "config", ROOT / "systemd"
DEADLINE_S = 30.0
ETC, BOOT = "/etc/gatepost", "/media/bootfs"


@pytest.fixture(scope="module")
def text():
    return (CONFIG / "PROVISIONING.md").read_text(encoding="utf-8")


class Shell:
    """Runs the page's commands in a folder, with parts of it in place of card, gate and server."""

    def __init__(self, folder, text):
        self.folder, self.boot, self.etc = folder, folder / "boot", folder / "etc"
        self.url, self._server = "https://pki.example.org:8085", None
        for each in (self.boot, self.etc):
            each.mkdir()
        (sites,) = re.findall(r"^```csv\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        template, passwords = re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        tls = "".join(
            f'{key} = "{ETC}/tls/{name}"\n'
            for key, name in (
                *(("ca", "ca.pem"), ("certificate", "device.pem"), ("key", "device.key")),
            )
        )
        template = template.replace("[tls]\n", f"[tls]\n{tls}").replace(ETC, str(self.etc))
        files = {"sites.csv": sites, "all.toml": template, "wifi.toml": passwords}
        for name, content in files.items():
            (folder / name).write_text(content, encoding="utf-8")

    def run(self, command):
        """Return a command's status."""
        if not command.startswith("gatepost "):
            command = command.replace(BOOT, str(self.boot))
            return subprocess.run(["sh", "-c", command], cwd=self.folder, check=False).returncode
        words = [
            word.replace("https://pki.example.org:8085", self.url)
            for word in shlex.split(command)[1:]
        ]
        if words[:2] == ["pki", "serve"]:
            return 0  # it is there since the authority is
        if words[0] == "first-boot":
            words += ["--boot", str(self.boot), "--config", f"{self.etc}/gatepost.toml"]
        status = main(words)
        if words[:2] == ["pki", "init"]:
            self._serve(self.folder / words[words.index("--dir") + 1])
        return status

    def _serve(self, folder):
        self._server = EstServer(Authority.open(folder), ["localhost"], port=0)
        self.url = f"https://localhost:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self):
        if self._server is not None:
            self._server.shutdown()
            self._thread.join(DEADLINE_S)
            self._server.server_close()


@pytest.fixture
def shell(tmp_path, text, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GATEPOST_WIFI_PASSWORD", raising=False)
    made = Shell(tmp_path, text)
    yield made
    made.close()


def test_the_page_from_top_to_bottom(shell, text, capsys):
    commands = re.findall(r"^    ((?:gatepost|chmod|cp) .*)$", text, re.MULTILINE)
    assert len(commands) == 7
    for command in commands:
        assert shell.run(command) == 0, (command, capsys.readouterr().err)
    assert len(list((shell.folder / "cards").iterdir())) == 3
    out = capsys.readouterr().out
    assert "ok: north/gate-1 has its settings, and its certificate" in out
    assert out.rstrip().endswith("no enrolment-token on the card")
    assert (shell.etc / "tls" / "crl.pem").exists()  # what the template names


def test_the_page_has_every_column(text):
    table = text[text.index("| column |") : text.index("## What is in a folder")]
    named = {
        word
        for row in re.findall(r"^\| (.*?) \|", table, re.MULTILINE)
        for word in re.findall(r"`([^`]+)`", row)
    }
    assert {*columns.SHORT, columns.NETWORK, columns.COUNTRY, columns.PINS} <= named
    assert {columns.TOKEN, columns.ENROL} <= named
    assert all(columns.is_known(name) for name in named)


def test_the_page_has_every_file_of_a_folder(text):
    table = text[text.index("| file |") : text.index("The three of cloud-init")]
    for name in (card.SETTINGS, card.TOKEN, card.AUTHORITY, card.USED, folders.LABEL):
        assert f"`{name}`" in table


@pytest.mark.parametrize(
    "name",
    [
        *("ENROLLED", "WAITS", "NOT_YET", "WRONG_SETTINGS", "BAD_TOKEN", "REFUSED"),
    ],
)
def test_the_page_has_what_a_report_begins_with(text, name):
    table = text[text.index("| `gatepost-first-boot.txt` begins") : text.index("New settings for")]
    said = re.sub(r"\{\w+\}", "X", getattr(texts, name))
    begins = re.findall(r"^\| `((?:ok|error): [^`]*)`", table, re.MULTILINE)
    patterns = [re.escape(each).replace(r"\.\.\.", ".*") for each in begins]
    assert any(re.match(pattern, said) for pattern in patterns), said


def test_every_link_leads_somewhere(text):
    links = re.findall(r"\]\(([^)#]+)\)", text)
    assert links
    assert [link for link in links if not (CONFIG / link).exists()] == []


@pytest.mark.parametrize("name", ["gatepost-first-boot", "gatepost-first-enrol"])
def test_the_units_run_what_there_is(name, tmp_path):
    unit = (UNITS / f"{name}.service").read_text(encoding="utf-8")
    (command,) = re.findall(r"^ExecStart=/opt/gatepost/venv/bin/gatepost (.*)$", unit, re.MULTILINE)
    with suppress(SystemExit):
        assert main([*command.split(), "--boot", str(tmp_path)]) == 0
    conditions = re.findall(r"^ConditionPathExists=(.*)$", unit, re.MULTILINE)
    assert any(each.startswith("/boot/firmware/") for each in conditions)
    assert {Path(each).name for each in conditions} <= {card.SETTINGS, card.TOKEN}
    readme = (UNITS / "README.md").read_text(encoding="utf-8")
    assert f"`{name}.service`" in readme


def test_the_settings_come_before_the_gate_and_nothing_waits_for_the_network():
    first, second = (
        (UNITS / f"gatepost-first-{name}.service").read_text() for name in ("boot", "enrol")
    )
    assert "Before=gatepost-gate.service" in first
    assert "PrivateNetwork=yes" in first
    assert "--no-enrol" in first
    assert "Before=" not in second
    # The boot waits for the one, and not for the other: it may try for a week.
    assert "Type=oneshot" in first
    assert "Type=exec" in second
    assert "Restart=on-failure" in second
    assert "RestartPreventExitStatus=2" in second


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
@pytest.mark.parametrize(("name", "most"), [("boot", 1.0), ("enrol", 1.2)])
def test_the_units_are_as_hardened_as_the_page_says(name, most):
    done = subprocess.run(
        [
            "systemd-analyze",
            "security",
            "--offline=true",
            "--no-pager",
            UNITS / f"gatepost-first-{name}.service",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)
    if found is None:
        pytest.skip("this systemd-analyze knows no --offline")
    assert float(found[1]) <= most
