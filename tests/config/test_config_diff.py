"""`gatepost config diff`: what changes, what matters of it, what to restart."""

import json

import pytest
from hypothesis import given, settings
from msgspec import NODEFAULT, convert

from gatepost.cli.config_text import diff_text
from gatepost.cli.main import main
from gatepost_config.difference import differences, restarts
from gatepost_config.reference import entries, values
from gatepost_config.settings import Settings, decode_path

from .any_settings import documents


def converted(document):
    return convert(document, Settings, dec_hook=decode_path)


@pytest.fixture
def diff(tmp_path, least_text, capsys):
    """Return status, output and complaints of a comparison of the least file with more of it."""

    def make(old, new, *options):
        for name, more in {"old.toml": old, "new.toml": new}.items():
            if more is not None:
                (tmp_path / name).write_text(f"{least_text}{more}")
        paths = [str(tmp_path / name) for name in ("old.toml", "new.toml")]
        status = main(["config", "diff", *paths, *options])
        told = capsys.readouterr()
        return status, told.out, told.err

    return make


@settings(max_examples=60, deadline=None)
@given(documents, documents)
def test_what_differs_is_told_and_nothing_else(old, new):
    before, after = converted(old), converted(new)
    changes = differences(before, after)
    told = {change.entry.name: (change.old, change.new) for change in changes}
    a, b = values(before), values(after)
    assert told == {name: (a[name], b[name]) for name in a if a[name] != b[name]}
    back = differences(after, before)
    assert [(each.entry, each.new, each.old) for each in back] == changes
    assert differences(before, before) == []
    assert len(diff_text(changes).splitlines()) == max(len(changes), 0) + 1


def test_comments_order_and_a_stated_default_are_no_difference(diff):
    status, told, _ = diff("", "# more\n[turnstile]\nrelease_hold_s = 5\n")
    assert (status, told) == (0, "the same settings: nothing to restart\n")


def test_a_change_is_told_with_what_it_needs(diff):
    status, told, _ = diff(
        "[turnstile]\nrelease_hold_s = 8\n", '[turnstile]\nrelay_active = "high"\nheld_s = 12.5\n'
    )
    assert status == 1
    assert told.splitlines() == [
        "[turnstile] release_hold_s: 8.0 -> 5.0 s  ! safety  (restart: gatepost-gate)",
        "[turnstile] held_s: 10.0 -> 12.5 s  (restart: gatepost-gate)",
        "2 settings differ, 1 of safety; in force after: systemctl restart gatepost-gate",
    ]


def test_one_change_of_the_link_leaves_the_gate_alone(diff):
    _, told, _ = diff("", '[tls]\nca = "/etc/other.pem"\n')
    assert told.splitlines()[1:] == [
        "1 setting differs, 1 of security; in force after: systemctl restart gatepost-uplink"
    ]


def test_what_both_read_restarts_both(diff):
    _, told, _ = diff("", "[journal]\nmin_free_megabytes = 300\n")
    assert told.splitlines()[0].endswith("(restart: gatepost-gate and gatepost-uplink)")
    assert told.endswith("systemctl restart gatepost-gate gatepost-uplink\n")


def test_json_says_the_same(diff):
    status, told, _ = diff("", "status_s = 30\n[pins]\nfire = 4\n", "--json")
    assert status == 1
    assert json.loads(told) == {
        "changes": [
            {
                "section": "pins",
                "key": "fire",
                "old": 16,
                "new": 4,
                "unit": None,
                "matters": "safety",
                "restart": ["gatepost-gate"],
            },
            {
                "section": "link",
                "key": "status_s",
                "old": 60.0,
                "new": 30.0,
                "unit": "s",
                "matters": None,
                "restart": ["gatepost-uplink"],
            },
        ],
        "restart": ["gatepost-gate", "gatepost-uplink"],
    }
    assert json.loads(diff("", "", "--json")[1]) == {"changes": [], "restart": []}


def test_a_path_is_text_in_json(diff):
    _, told, _ = diff("", '[signals]\ndisplay = "/dev/tty1"\n', "--json")
    (change,) = json.loads(told)["changes"]
    assert (change["old"], change["new"]) == ("/dev/null", "/dev/tty1")


@pytest.mark.parametrize(
    ("old", "new", "which"),
    [(None, "", "old"), ("", None, "new"), ("[lanes]\n", "", "old"), ("", "x = [\n", "new")],
)
def test_a_file_that_cannot_be_used_is_status_2(old, new, which, diff, tmp_path):
    status, told, complaint = diff(old, new)
    assert (status, told) == (2, "")
    assert str(tmp_path / f"{which}.toml") in complaint


def test_the_names_of_a_gate_restart_both(settings_with):
    changes = differences(settings_with(), settings_with(("gate", "name", "south-1")))
    assert restarts(changes) == ("gate", "link")
    assert all(entry.default is NODEFAULT for entry, _, _ in changes)


def test_nothing_needs_nothing():
    assert restarts(()) == ()


@pytest.mark.parametrize("name", list(entries()))
def test_every_setting_is_compared(name, settings_with):
    entry = entries()[name]
    one = settings_with()
    section = getattr(one, entry.section)
    other = type(section)(
        **{key: getattr(section, key) for key in section.__struct_fields__ if key != entry.key},
        **{entry.key: "another"},
    )
    changed = Settings(
        **{key: getattr(one, key) for key in one.__struct_fields__ if key != entry.section},
        **{entry.section: other},
    )
    (change,) = differences(one, changed)
    assert change.entry.name == name
