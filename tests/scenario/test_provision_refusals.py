"""What is wrong with a list is told at once, each with line, column, value and what to do."""

import tomllib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatepost.provision.columns import PINS, is_known
from gatepost.provision.plan import Planner
from gatepost.provision.sites import read_sites
from gatepost.provision.toml_text import as_toml
from gatepost_config.load import ConfigError

from .provision_rig import ROW, SITE, Desk, sheet

TOKEN = f"{'0' * 16}.{'s' * 43}.{'f' * 64}"
URL = "https://pki.example.org:8085"


@pytest.fixture
def desk(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("GATEPOST_WIFI_PASSWORD", raising=False)
    return Desk(tmp_path, capsys)


@pytest.mark.parametrize(
    ("cells", "text"),
    [
        ({"site": "North"}, "column site: [gate] site = 'North': must be 1 to 63 of a-z"),
        ({"site": ""}, "column site: is empty; it must be there."),
        ({"gate": "a_b"}, "column gate: [gate] name = 'a_b': must be"),
        ({"gate": "g" * 60}, "column gate = 'ggg"),
        ({"broker": ""}, "column broker: [link] is missing; it must say: broker_host."),
        ({"broker": " b"}, "column broker = ' b': begins or ends with a space"),
        ({"broker": "a\nb"}, "column broker = 'a\\nb': has a sign that cannot be seen"),
        ({"broker_port": "1.5"}, "column broker_port: [link] broker_port = '1.5': must be a whole"),
        ({"broker_port": "0"}, "broker_port = 0: must be a whole number from 1 to 65535"),
        ({"sensor": "XCC"}, "column sensor: [sensor] part = 'XCC': must be one of"),
        ({"sensor": "BAA", "sensor.distance_cm": "50"}, "column sensor: [sensor] part"),
        ({"sensor.distance_cm": "50"}, "column sensor.distance_cm: [sensor] part"),
        ({"release": "push"}, "column release: [turnstile] release = 'push': must be one of \"ho"),
        ({"passage": "per_direction"}, "column passage: [turnstile] passage"),
        ({"pins": "entry_relay 22"}, "must be NAME=NUMBER with a space between two"),
        ({"pins": "tamper=4 tamper=9"}, "must be NAME=NUMBER with a space between two"),
        ({"pins": "relay=4"}, "column pins: [pins] relay = 4: no such setting."),
        ({"pins": "tamper=17"}, "column pins: [pins] tamper = 17: already used by entry_relay"),
        ({"pins": "tamper=4", "pins.tamper": "9"}, "column pins = 'tamper=4': says [pins] tamper"),
        ({"network": ""}, "column network: is empty"),
        ({"network": "lan"}, "column network = 'lan': must be wired, or wifi:NAME"),
        ({"network": "wifi:"}, "must be wired, or wifi:NAME"),
        ({"network": "wifi:" + "n" * 33}, "at most 32 bytes"),
        ({"network": "wifi:x", "wifi_country": "CN"}, "its password is not known; put it into"),
        ({"network": "wifi:x"}, "column wifi_country: is empty; the radio needs it"),
        ({"network": "wifi:x", "wifi_country": "cn"}, "column wifi_country = 'cn': must be two"),
        ({"lane.exit_in_lockdown": "yes"}, "must be true or false"),
        ({"token": "abc", "enrol": URL}, "column token: this is no token"),
        ({"token": TOKEN}, "column enrol: is empty; a token needs the server"),
        ({"token": TOKEN, "enrol": "http://x"}, "write the server as https://HOST:PORT"),
        ({"enrol": URL}, "there is no token for it"),
        ({"regime.name": "nomral"}, "nomral"),
        ({"regime.exits": "by_pass", "regime.name": "normal"}, "column regime.exits: [regime]"),
    ],
)
def test_a_cell_that_is_wrong_is_named_with_what_is_allowed(desk, cells, text):
    found = desk.problems(ROW, {**ROW, "gate": "gate-2", **cells})
    assert any(text in each for each in found), found
    assert all(each.startswith(("3: ", "column enrol")) for each in found), found


def test_everything_is_told_at_once_in_the_order_of_the_lines(desk):
    found = desk.problems(
        {**ROW, "sensor": "XCC"}, {**ROW, "broker_port": "x"}, {**ROW, "gate": "G"}
    )
    lines = [each.partition(":")[0] for each in found]
    assert lines == ["2", "3", "3", "4"]
    assert "column gate = 'gate-1': north has it in line 2; each once." in found[2]


def test_two_gates_that_would_share_a_folder_are_refused(desk):
    (said,) = desk.problems(
        {**ROW, "site": "a-b", "gate": "c"}, {**ROW, "site": "a", "gate": "b-c"}
    )
    assert "its folder and computer would be a-b-c, as of line 2" in said


def test_a_mistake_of_the_template_is_told_once_and_as_the_templates(desk):
    template = desk.folder / "all.toml"
    template.write_text("[sensor]\npart = 'XCC'\n[nonsense]\na = 1\n")
    rows = (ROW, {**ROW, "gate": "gate-2"})
    found = desk.problems(*rows, words=("--template", template))
    assert len(found) == 2
    assert found[0].startswith(f"{template}: [sensor] part = 'XCC': must be one of")
    assert found[1].startswith(f"{template}: [nonsense]: no such section.")


@pytest.mark.parametrize(
    ("content", "text"),
    [(b"\xff", "cannot be read|not TOML"), (b"a", "not TOML"), (b"link = 1", "must be a section")],
)
def test_a_template_that_is_none(desk, content, text):
    template = desk.folder / "all.toml"
    template.write_bytes(content)
    (said,) = desk.problems(ROW, words=("--template", template))
    assert said.startswith(f"{template}: ")
    assert any(each in said for each in text.split("|"))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "1: no header"),
        (b"site;gate;network\n", "1: the columns are not divided by commas; save it as CSV"),
        (b"site,gate,network,sensr\n", "1: column 'sensr': there is no such column. Did you mean"),
        (b"site,gate,network,site\n", "1: column site: is there 2 times; keep one."),
        (b"site,gate\n", "1: column network: is missing"),
        (b"site,gate,network\n", " there is no gate in it"),
        (b"site,gate,network\na,b\n", "2: 2 cells; the header has 3"),
        (b'site,gate,network\n"a,b,wired\n', "2: not CSV"),
        (b"site,gate,network\n\xe4,b,wired\n", " not UTF-8 text (byte 18); save it as CSV"),
    ],
)
def test_a_file_that_is_no_list(desk, content, text):
    desk.list.write_bytes(content)
    (said,) = desk.problems()
    assert said.startswith(text), said


def test_a_list_as_spreadsheets_save_it_is_taken(desk):
    desk.list.write_bytes(b"\xef\xbb\xbf" + sheet(ROW).replace("\n", "\r\n").encode() + b"\r\n")
    desk.provision()
    assert (desk.out / "north-gate-1").is_dir()


def test_the_line_of_a_row_is_where_it_begins(desk):
    text = sheet({**ROW, "broker": "a\n\nb"}, {**ROW, "sensor": "XCC"})
    desk.list.write_text(text + "\n\n", encoding="utf-8")
    assert [each.partition(":")[0] for each in desk.problems()] == ["2", "5"]


def test_an_authority_makes_no_tokens_for_another_site(desk):
    desk.run("pki", "init", SITE, "--dir", desk.pki)
    words = ("--pki", desk.pki, "--enrol", URL)
    (said,) = desk.problems(ROW, {**ROW, "site": "south"}, words=words)
    assert said.startswith("3: column site = 'south': the authority of --pki is of site north")
    (said,) = desk.problems({**ROW, "token": TOKEN}, words=words)
    assert "column token: --pki makes one" in said
    (said,) = desk.problems(ROW, {**ROW, "gate": "gate-2"}, words=words[:2])
    assert said.startswith("column enrol: is empty")
    assert not any((desk.pki / "tokens").iterdir())


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        ('"x" = "correct horse"', 0o640, "others can read it; run: chmod 600"),
        ('"x" = correct horse', 0o600, 'write a line for each network: "NAME" = "PASSWORD"'),
        ('"x" = 7', 0o600, 'write a line for each network: "NAME" = "PASSWORD"'),
        ('"x" = "horse"', 0o600, "its password must be 8 to 63 signs of ASCII"),
        ('"x" = "correct hörse"', 0o600, "its password must be 8 to 63 signs of ASCII"),
        ('"y" = "correct horse"', 0o600, "its password is not known"),
    ],
)
def test_passwords_that_cannot_be_used_are_not_quoted(desk, text, mode, said):
    path = desk.folder / "wifi.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    row = {**ROW, "network": "wifi:x", "wifi_country": "CN"}
    (found,) = desk.problems(row, words=("--wifi-passwords", path))
    assert said in found
    assert "horse" not in found


@pytest.fixture(scope="module")
def list_file(tmp_path_factory):
    return tmp_path_factory.mktemp("noise") / "sites.csv"


def planned(path, content):
    """Return the plans of a file, or what is wrong with it."""
    path.write_bytes(content)
    try:
        return Planner(password="correct horse").plans(read_sites(path)), []
    except ConfigError as error:
        return [], list(error.problems)


noise = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
# What lists are made of, and what breaks them.
_WORDS = st.sampled_from(
    [*ROW, *ROW.values(), "pins", "sensor", "DCC", "tamper=4", ",", ",", "\n", "\n", '"', "\0"]
)


@noise
@given(st.one_of(st.binary(max_size=200), st.lists(_WORDS, max_size=40).map("".join)))
def test_noise_is_refused_in_words_or_is_a_list(list_file, content):
    content = content if isinstance(content, bytes) else content.encode()
    plans, problems = planned(list_file, content)
    assert bool(plans) != bool(problems)
    assert all(each.startswith((f"{list_file}:", "column enrol")) for each in problems)


_CELLS = {
    "broker_port": st.integers(-5, 70_000).map(str),
    "sensor": st.sampled_from(["DCC", "BAA", "bcc", "MLX"]),
    "sensor.distance_cm": st.floats(-1, 70).map(lambda value: f"{value:.3f}"),
    "pins": st.lists(st.sampled_from(["tamper=4", "entry_relay=22", "x=1", "fire="])).map(" ".join),
    "passage": st.sampled_from(["none", "single", "double"]),
    "network": st.sampled_from(["wired", "wifi:a", "cable"]),
    "wifi_country": st.sampled_from(["CN", "c"]),
}


@noise
@given(st.lists(st.fixed_dictionaries({}, optional=_CELLS), min_size=1, max_size=5))
def test_a_list_is_taken_whole_or_each_bad_row_is_named(list_file, rows):
    rows = [{**ROW, "gate": f"g-{number}", **row} for number, row in enumerate(rows)]
    plans, problems = planned(list_file, sheet(*rows).encode())
    if not problems:
        assert [plan.settings.gate.name for plan in plans] == [row["gate"] for row in rows]
        return
    told = {int(each.removeprefix(f"{list_file}:").partition(":")[0]) for each in problems}
    alone = {
        line for line, row in enumerate(rows, start=2) if planned(list_file, sheet(row).encode())[1]
    }
    assert told == alone


_VALUES = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
)


@noise
@given(st.dictionaries(st.sampled_from("abc"), st.dictionaries(st.sampled_from("xyz"), _VALUES)))
def test_what_is_written_as_toml_is_read_as_it_was(document):
    assert tomllib.loads(as_toml(document)) == document


def test_pins_have_a_column_of_their_own_name():
    assert is_known(PINS)
    assert is_known("pins.tamper")
    assert not is_known("pins.")
    assert not is_known("gate.")
