"""A technician's desk and a gate's card: lists of gates, an authority that answers."""

import csv
import io
import shutil
import threading
from contextlib import suppress
from pathlib import Path

from gatepost.cli.main import main
from gatepost_services.pki.authority import Authority
from gatepost_services.pki.est_server import EstServer
from gatepost_services.pki.tokens import make_token

DEADLINE_S = 30.0
SITE = "north"
ROW = {"site": SITE, "gate": "gate-1", "network": "wired", "broker": "mqtt.example.org"}


def sheet(*rows):
    """Return a list of gates as CSV; of what a row leaves out it has empty cells."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


class Desk:
    """Where lists become folders."""

    def __init__(self, folder, capsys):
        self.folder, self._capsys = folder, capsys
        self.list, self.out, self.pki = folder / "sites.csv", folder / "out", folder / "ca"
        self.said = ""

    def run(self, *words, status=0):
        """Run a command; return what it says."""
        try:
            got = main([*map(str, words)])
        except SystemExit as error:
            got = error.code
        out, err = self._capsys.readouterr()
        self.said += out + err
        assert got == status, (out, err)
        return err if status else out

    def provision(self, *rows, words=(), status=0):
        """Make the folders of some rows, or of the list that is there; return what is said."""
        if rows:
            self.list.write_text(sheet(*rows), encoding="utf-8")
        return self.run("provision", self.list, self.out, *words, status=status)

    def problems(self, *rows, words=()):
        """Return what is wrong with some rows, without the list's own path."""
        said = self.provision(*rows, words=words, status=2)
        assert not self.out.exists()
        lines = said.splitlines()
        assert all(line.startswith("gatepost: ") for line in lines)
        return [line.removeprefix("gatepost: ").removeprefix(f"{self.list}:") for line in lines]

    def file(self, folder, name):
        return (self.out / folder / name).read_text(encoding="utf-8")


class Office:
    """The site's authority, and its server on loopback, until closed."""

    def __init__(self, folder):
        self.authority = Authority.create(folder, SITE)
        self._server = EstServer(self.authority, ["localhost"], port=0)
        self.url = f"https://localhost:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def issued(self, gate):
        return [each for each in self.authority.issued() if each.name == f"{SITE}/{gate}"]

    def close(self):
        self._server.shutdown()
        self._thread.join(DEADLINE_S)
        self._server.server_close()


class Gate:
    """A gate that was never switched on: its card, and the folders that its package made."""

    def __init__(self, folder):
        self.boot, self.etc = folder / "boot", folder / "etc"
        self.tls, self.config = folder / "tls", folder / "etc" / "gatepost.toml"
        for each in (self.boot, self.etc):
            each.mkdir(parents=True)

    def settings(self, name="gate-1", more=""):
        """Return the text of its settings."""
        files = (("ca", "ca.pem"), ("certificate", "device.pem"), ("key", "device.key"))
        return (
            f'[gate]\nsite = "{SITE}"\nname = "{name}"\n[link]\nbroker_host = "localhost"\n[tls]\n'
            + "".join(f'{key} = "{self.tls}/{file}"\n' for key, file in files)
            + more
        )

    def insert(self, text, token="", url=""):
        """Put settings and a token on the card."""
        (self.boot / "gatepost.toml").write_text(text, encoding="utf-8")
        if token:
            self.insert_token(token, url)

    def insert_token(self, token, url):
        (self.boot / "enrolment-token").write_text(f"{token}\n{url}\n", encoding="utf-8")

    def insert_folder(self, folder):
        """Copy a provisioned folder to the card, as the label says."""
        for path in folder.iterdir():
            shutil.copy(path, self.boot)

    def words(self, *more):
        return ("first-boot", "--boot", self.boot, "--config", self.config, *more)

    @property
    def report(self):
        with suppress(FileNotFoundError):
            return (self.boot / "gatepost-first-boot.txt").read_text(encoding="utf-8")
        return ""

    def names(self):
        """Return which files are on the card."""
        return {path.name for path in self.boot.iterdir()}


def new_token(office, gate="gate-1"):
    return str(make_token(office.authority, gate))


def tree(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder, with its content."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
