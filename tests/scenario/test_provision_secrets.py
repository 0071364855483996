"""Canaries: where the token and the Wi-Fi's password are, from the list to the gate in service."""

import pytest

from gatepost_services.pki.tokens import Token

from .provision_rig import ROW, Desk, Gate, Office, tree

PASSWORD = "canary in a mine"
WIFI_NAME = "North court"


@pytest.fixture
def office(tmp_path):
    made = Office(tmp_path / "ca")
    yield made
    made.close()


@pytest.fixture
def desk(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("GATEPOST_WIFI_PASSWORD", raising=False)
    made = Desk(tmp_path, capsys)
    made.list.write_text("")
    return made


def holders(folder, secret):
    """Return the files below a folder that hold a text, or its bytes."""
    return {name for name, content in tree(folder).items() if secret.encode() in content}


def provisioned(desk, office, gate):
    """Make a folder for a gate, with a token and a Wi-Fi; return the token and the Wi-Fi's key."""
    paths = {"ca": "ca.pem", "certificate": "device.pem", "key": "device.key"}
    row = {**ROW, "network": f"wifi:{WIFI_NAME}", "wifi_country": "CN"}
    row |= {f"tls.{key}": f"{gate.tls}/{name}" for key, name in paths.items()}
    wifi = desk.folder / "wifi.toml"
    wifi.write_text(f'"{WIFI_NAME}" = "{PASSWORD}"\n')
    wifi.chmod(0o600)
    words = ("--pki", office.authority.folder, "--enrol", office.url, "--wifi-passwords", wifi)
    desk.provision(row, words=words)
    token = Token.parse(desk.file("north-gate-1", "enrolment-token").splitlines()[0])
    _, _, after = desk.file("north-gate-1", "network-config").partition('"password": "')
    return token, after.partition('"')[0]


def test_each_secret_is_in_its_file_and_nowhere_else(desk, office, tmp_path):
    token, key = provisioned(desk, office, Gate(tmp_path / "gate"))
    assert holders(tmp_path, token.secret) == {"out/north-gate-1/enrolment-token"}
    assert holders(tmp_path, PASSWORD) == {"wifi.toml"}
    assert holders(tmp_path, key) == {"out/north-gate-1/network-config"}
    for secret in (token.secret, PASSWORD, key):
        assert secret not in desk.said


@pytest.mark.parametrize("trouble", ["none", "no network", "bad settings", "torn token"])
def test_a_first_boot_tells_no_secret_and_leaves_none(desk, office, tmp_path, trouble, caplog):
    gate = Gate(tmp_path / "gate")
    token, key = provisioned(desk, office, gate)
    gate.insert_folder(desk.out / "north-gate-1")
    file = gate.boot / "enrolment-token"
    if trouble == "no network":
        file.write_text(file.read_text().replace(office.url, "https://localhost:1"))
    if trouble == "bad settings":
        (gate.boot / "gatepost.toml").write_text("[gate]\n")
    if trouble == "torn token":
        file.write_text(file.read_text()[10:])
    status = {"none": 0, "no network": 1}.get(trouble, 2)
    desk.run(*gate.words(), status=status)
    on_gate = holders(tmp_path / "gate", token.secret)
    assert on_gate == (set() if trouble == "none" else {"boot/enrolment-token"})
    assert holders(tmp_path / "gate", key) == {"boot/network-config"}
    assert not holders(tmp_path / "gate", PASSWORD)
    for secret in (token.secret, PASSWORD, key):
        assert secret not in desk.said
        assert secret not in caplog.text
        assert secret not in gate.report


def test_a_refused_list_quotes_no_token(desk):
    secret = "canary-in-a-cell"
    (said,) = desk.problems({**ROW, "token": f" {secret}", "enrol": "https://x"})
    assert "column token: begins or ends with a space" in said
    said = desk.problems({**ROW, "token": secret, "enrol": "https://x"})
    assert not any(secret in each for each in said)
