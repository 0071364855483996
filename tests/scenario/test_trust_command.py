"""`gatepost trust`, from the description to the list in force, as a technician sees it."""

import base64
import json

import pytest

from gatepost.cli.main import main
from gatepost_services.credentials import signing

KEY, NEXT, ROOT = (signing.key_of_seed(bytes([n]) * 32) for n in (1, 2, 3))
ROOT_HEX = signing.hex_of(ROOT.public_key())
PUBLIC = signing.hex_of(KEY.public_key())
KID = signing.kid_of(KEY.public_key()).hex()
HALF, WHOLE = "2026-01-01T00:00:00Z", "2099-01-01T00:00:00Z"
ENTRY = {"public": PUBLIC, "use": ["pass"], "not_before": HALF, "not_after": WHOLE}
ID = "00112233445566778899aabbccddeeff"


@pytest.fixture
def site(tmp_path, capsys):
    return Site(tmp_path, capsys)


class Site:
    """A folder of a gate and of those who issue lists for it."""

    def __init__(self, folder, capsys):
        self.folder, self.capsys = folder, capsys
        self.root = folder / "root.pem"
        signing.write_key(self.root, ROOT)
        self.config = folder / "gatepost.toml"
        (folder / "gate").mkdir()
        self.in_force = folder / "gate" / "trust.cose"
        self.configure()

    def configure(self, root_key=ROOT_HEX, hours=168):
        self.config.write_text(
            f'[gate]\nsite = "north"\nname = "gate-1"\n[link]\nbroker_host = "127.0.0.1"\n'
            f'[passes]\nroot_key = "{root_key}"\nmax_list_age_hours = {hours}\n'
            f'[paths]\ngate_dir = "{self.folder}/gate"\n',
            encoding="utf-8",
        )

    def described(self, version=1, **changed):
        path = self.folder / f"list-{version}.json"
        document = {"site": "north", "version": version, "keys": [ENTRY], **changed}
        path.write_text(json.dumps(document), encoding="utf-8")
        return path

    def issued(self, version=1, key=None, **changed):
        out = self.folder / f"list-{version}.cose"
        description = self.described(version, **changed)
        key = str(key or self.root)
        assert main(["trust", "issue", str(description), "--key", key, "--out", str(out)]) == 0
        said = self.capsys.readouterr().out
        assert said.startswith(f"{out}: version {version} for site ")
        return out

    def run(self, *arguments, status=0):
        arguments = ["trust", *map(str, arguments), "--config", str(self.config)]
        if status == 0:
            assert main(arguments) == 0
            return self.capsys.readouterr().out
        return self.refused(arguments, status)

    def refused(self, arguments, status):
        with pytest.raises(SystemExit) as end:
            main(arguments)
        out, err = self.capsys.readouterr()
        assert (end.value.code, out) == (status, "")
        return err


def test_a_list_is_issued_installed_and_shown(site):
    made = site.issued(7, revoked_passes=[ID], revoked_keys=["ab"])
    assert site.run("install", made).endswith("version 7 is in force, the first one\n")
    assert site.in_force.read_bytes() == made.read_bytes()
    shown = site.run("show")
    for words in (
        "trust list of site north, version 7",
        f"key {KID} for pass, 2026-01-01T00:00:00+00:00 to 2099-01-01T00:00:00+00:00",
        "revoked passes: 1",
        "0.0 hours ago",
    ):
        assert words in shown
    assert "STALE" not in shown
    assert "REVOKED" not in shown
    document = json.loads(site.run("show", "--json"))
    assert document["revoked_passes"] == [ID]
    assert document["keys"][0]["revoked"] is False
    assert document["stale"] is False


def test_what_the_installed_list_trusts_the_gate_takes(site, capsys):
    site.run("install", site.issued())
    key = site.folder / "key.pem"
    signing.write_key(key, KEY)
    issue = ["--subject", "s-17", "--site", "north", "--category", "visitor"]
    assert main(["pass", "issue", "--key", str(key), *issue]) == 0
    text = capsys.readouterr().out.strip()
    judged = ["pass", "inspect", text, "--config", str(site.config)]
    assert main(judged) == 0
    assert capsys.readouterr().out.endswith("good for entry at gate-1\n")
    cti = json.loads(run_json([*judged, "--json"], capsys))["claims"]["id"]
    site.run("install", site.issued(2, revoked_passes=[cti]))
    assert main(judged) == 1
    assert "REFUSED: revoked" in capsys.readouterr().out
    by_hand = ["--trust", str(site.in_force), "--root", ROOT_HEX]
    assert main(["pass", "inspect", text, *by_hand]) == 1


def run_json(arguments, capsys):
    assert main(arguments) == 0
    return capsys.readouterr().out


def test_hcert_stands_for_all_three_and_a_key_may_be_any_spki_with_a_kid(site):
    spki = base64.b64encode(signing.spki(NEXT.public_key())).decode("ascii")
    entry = {**ENTRY, "public": None, "spki": spki, "use": ["hcert"], "kid": "0102"}
    made = site.issued(1, keys=[ENTRY, entry], revoked_keys=[KID])
    shown = json.loads(site.run("show", made, "--json"))["keys"]
    assert (shown[1]["kid"], shown[1]["spki"]) == ("0102", spki)
    assert shown[1]["use"] == ["recovery", "test", "vaccination"]
    assert "REVOKED" in site.run("show", made)


def test_an_older_or_bad_list_changes_nothing(site):
    new, old = site.issued(7), site.issued(6)
    site.run("install", new)
    assert "version 6: this gate holds 7" in site.run("install", old, status=1)
    other = site.folder / "other.pem"
    signing.write_key(other, NEXT)
    assert "not signed by the root key" in site.run("install", site.issued(8, other), status=1)
    south = site.issued(9, site="south")
    assert "for the site 'south'" in site.run("install", south, status=1)
    junk = site.folder / "junk"
    junk.write_bytes(b"junk")
    assert "no trust list" in site.run("install", junk, status=1)
    assert "there is no such file" in site.run("install", site.folder / "none", status=1)
    assert site.in_force.read_bytes() == new.read_bytes()
    later = site.run("install", site.issued(10))
    assert later.endswith("version 10 is in force, after version 7\n")


def test_a_stale_list_is_called_so(site):
    made = site.issued(1, issued="2026-01-01T00:00:00Z")
    assert "hours ago: STALE" in site.run("show", made)
    site.configure(hours=0)
    assert "STALE" not in site.run("show", made)


def test_without_a_root_key_it_says_where_to_name_it(site):
    made = site.issued()
    site.configure(root_key="")
    assert "[passes] root_key" in site.run("install", made, status=2)
    assert "[passes] root_key" in site.run("show", made, status=2)


def test_while_the_root_changes_two_may_sign(site):
    other = site.folder / "other.pem"
    signing.write_key(other, NEXT)
    both = [signing.hex_of(each.public_key()) for each in (ROOT, NEXT)]
    site.configure(root_key=" ".join(both))
    site.run("install", site.issued(1))
    site.run("install", site.issued(2, other))


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"version": 0}, "version"),
        ({"keys": [{**ENTRY, "public": None}]}, "key 1: must have one of public"),
        ({"keys": [{**ENTRY, "spki": ""}]}, "key 1: must have one of public"),
        ({"keys": [{**ENTRY, "public": "ab"}]}, "key 1: a public key of 1 bytes"),
        ({"keys": [ENTRY, {**ENTRY, "public": None, "spki": "AAAA"}]}, "key 2: "),
        ({"keys": [{**ENTRY, "not_after": "2025-01-01T00:00:00Z"}]}, "not_after is before"),
        ({"keys": [{**ENTRY, "not_after": "2099-01-01T00:00:00"}]}, "not_after"),
        ({"keys": [{**ENTRY, "use": ["parcel"]}]}, "parcel"),
        ({"revoked_passes": ["ab"]}, "revoked_passes"),
        ({"revoked_passes": ["xyz"]}, "revoked_passes"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_description_that_makes_no_list_is_told(site, changed, why):
    out = site.folder / "out.cose"
    path = site.described(**changed)
    arguments = ["trust", "issue", str(path), "--key", str(site.root), "--out", str(out)]
    err = site.refused(arguments, 2)
    assert f"{path}: " in err
    assert why in err
    assert not out.exists()


def test_a_key_or_a_folder_that_is_not_there_is_told(site):
    path = str(site.described())
    missing = str(site.folder / "none" / "x")
    for arguments in (
        ["--key", missing, "--out", str(site.folder / "out")],
        ["--key", str(site.root), "--out", missing],
    ):
        assert missing in site.refused(["trust", "issue", path, *arguments], 1)
