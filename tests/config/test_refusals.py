"""Each kind of bad input: the sentence names file, key, value, and what is allowed."""

import datetime as dt
import math
import os

import pytest

from gatepost_config.load import ConfigError, decode, load

SPAN = "must be a number of seconds from {} to {}, without quotes or a unit. The default is {}."
HOLD = SPAN.format(0.1, 30, 5.0)
LIMIT = (
    "must be a number of degrees Celsius from 37 to 42, without quotes or a unit. "
    "The default is 37.3."
)
OFFSET = (
    "must be a number of degrees Celsius from 0 to 6, without quotes or a unit. The default is 2.5."
)
SAMPLES = "must be a whole number from 5 to 25, without quotes or a unit. The default is 7."
NAME = "must be 1 to 63 of a-z, 0-9 and '-', beginning with a letter or digit."
HOST = "must be the name or the address of a host, without a port, in quotes."
PATH = 'must be an absolute path in quotes. The default is "/run/gatepost".'
LANE_KEYS = (
    "order, pass_timeout_s, proof_timeout_s, measure_timeout_s, measure_attempts, recheck_pause_s, "
    "refused_show_s, referred_show_s, exit_wish_s, exit_in_lockdown"
)


@pytest.mark.parametrize(
    ("section", "key", "value", "sentence"),
    [
        ("turnstile", "release_hold_s", "5", HOLD),
        ("turnstile", "release_hold_s", True, HOLD),
        ("turnstile", "release_hold_s", math.nan, HOLD),
        ("turnstile", "release_hold_s", math.inf, HOLD),
        ("turnstile", "release_hold_s", -math.inf, HOLD),
        ("turnstile", "release_hold_s", math.nextafter(0.1, 0), HOLD),
        ("turnstile", "release_hold_s", math.nextafter(30, 99), HOLD),
        ("turnstile", "release_hold_s", -5, HOLD),
        ("turnstile", "release_hold_s", [5.0], HOLD),
        ("turnstile", "release_hold_s", {"s": 5.0}, HOLD),
        ("turnstile", "release_hold_s", dt.time(0, 0, 5), HOLD),
        ("screening", "limit_c", 36.9, LIMIT),
        ("screening", "limit_c", 42.1, LIMIT),
        ("screening", "samples", 4, SAMPLES),
        ("screening", "samples", 26, SAMPLES),
        ("screening", "samples", 5.0, SAMPLES),
        ("screening", "samples", True, SAMPLES),
        ("screening", "samples", 10**30, SAMPLES),
        ("screening", "offset_c", -0.1, OFFSET),
        ("gate", "site", "", NAME),
        ("gate", "site", "Example Court", NAME),
        ("gate", "site", "a/b", NAME),
        ("gate", "site", "a#", NAME),
        ("gate", "site", "-a", NAME),
        ("gate", "site", "a" * 64, NAME),
        ("gate", "site", 7, NAME),
        ("link", "mqtt_version", 5, 'must be one of "3.1.1", "5". The default is "5".'),
        ("link", "mqtt_version", "4", 'must be one of "3.1.1", "5". The default is "5".'),
        ("paths", "run_dir", "run/gatepost", PATH),
        ("paths", "run_dir", "~/gatepost", PATH),
        ("paths", "run_dir", "", PATH),
        ("paths", "run_dir", "/run/\0", PATH),
        ("paths", "run_dir", 7, PATH),
        ("lane", "limit_c", 37.3, f"no such setting. There are: {LANE_KEYS}."),
        ("turnstile", "release_holds", 5, "no such setting. Did you mean release_hold_s?"),
        ("turnstile", "release_hold", 5, "no such setting. Did you mean release_hold_s?"),
        (
            "turnstile",
            "release_hold_ms",
            5000,
            "no such setting. Did you mean release_hold_s, a number of seconds from 0.1 to 30, "
            "without quotes or a unit?",
        ),
        (
            "screening",
            "limit_f",
            99.1,
            "no such setting. Did you mean limit_c, a number of degrees Celsius from 37 to 42, "
            "without quotes or a unit?",
        ),
    ],
)
def test_a_bad_value_is_told_with_what_is_allowed(section, key, value, sentence, problems_with):
    told = problems_with((section, key, value))
    assert told == [f"gate.toml: [{section}] {key} = {value!r}: {sentence}"]


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("turnstile", "release_hold_s", 0.1),
        ("turnstile", "release_hold_s", 30),
        ("screening", "limit_c", 42),
        ("screening", "offset_c", 0),
        ("screening", "offset_c", 6),
        ("screening", "samples", 5),
        ("gate", "site", "a" * 63),
        ("gate", "site", "7"),
        ("pins", "exit_relay", 27),
        ("link", "keepalive_s", 1200),
    ],
)
def test_the_ends_of_a_range_are_inside_it(section, key, value, settings_with):
    assert getattr(getattr(settings_with((section, key, value)), section), key) == value


def test_missing_sections_are_told_with_what_they_must_say(problems_of):
    assert problems_of("[lane]") == [
        " [gate] is missing; it must say: site, name.",
        " [link] is missing; it must say: broker_host.",
    ]


def test_missing_settings_are_told_with_what_is_allowed(least_text, problems_of):
    few = least_text.replace("name =", "# name =").replace("broker_host =", "# broker_host =")
    assert problems_of(few) == [
        f" [gate] name is missing; it {NAME}",
        f" [link] broker_host is missing; it {HOST}",
    ]


def test_what_is_no_section_is_told(least_text, problems_of):
    assert problems_of(f"lane = 7\n{least_text}[[pins]]\nfire = 16\n") == [
        " [lane]: must be a section of settings, not 7.",
        "11: [pins]: must be a section of settings, not [{'fire': 16}].",
    ]


def test_an_unknown_section_is_told_with_the_nearest_or_with_all(least_text, problems_of):
    assert problems_of(f"{least_text}[lanes]\n[xyz]\n") == [
        "10: [lanes]: no such section. Did you mean lane?",
        "11: [xyz]: no such section. There are: gate, link, tls, home_assistant, lane, "
        "turnstile, passback, signals, screening, regime, sensor, pins, reader, roster, passes, "
        "watchdog, journal, paths.",
    ]


def test_a_problem_is_told_with_its_line(least_text, problems_of):
    bad = least_text.replace("2.43", "'2.43'") + "\n[turnstile]\n\n  release_hold_s=99 # too long\n"
    assert problems_of(bad) == [
        f"6: [screening] offset_c = '2.43': {OFFSET}",
        f"13: [turnstile] release_hold_s = 99: {HOLD}",
    ]


def test_a_problem_is_told_with_its_line_also_below_a_commented_section(least_text, problems_of):
    bad = f"{least_text}[pins]    # BCM numbers\nbuzzer = 99\n"
    assert [problem.partition(" ")[0] for problem in problems_of(bad)] == ["11:"]


def test_all_problems_are_told_at_once(problems_of):
    text = """
        [gate]
        site = "A"
        [screening]
        offset_c = nan
        limit = 38
        [lane]
        release_hold_s = 99
        [xyz]
    """
    told = problems_of(text)
    keys = ["site =", "name is", "offset_c", "limit =", "release_hold_s", "[xyz]", "[link]"]
    assert [key for key, problem in zip(keys, told, strict=True) if key in problem] == keys


def test_joint_problems_are_told_together_with_single_ones(problems_with):
    told = problems_with(("gate", "site", "A"), ("pins", "buzzer", 16))
    assert len(told) == 2


def test_a_pin_that_is_used_twice_is_told_with_both_uses(problems_with):
    assert problems_with(("pins", "exit_relay", 17), ("pins", "fire", 17)) == [
        "gate.toml: [pins] exit_relay = 17: already used by entry_relay; give each its own line.",
        "gate.toml: [pins] fire = 17: already used by entry_relay; give each its own line.",
    ]


def test_a_name_does_not_end_with_a_line_end(problems_with):
    # It would go into MQTT topics.
    assert problems_with(("gate", "site", "north\n")) == [
        f"gate.toml: [gate] site = 'north\\n': {NAME}"
    ]


@pytest.mark.parametrize(
    "host",
    [
        *("", "x" * 254, 7, "bob:hunter2canary@broker", "bob:hunter2", "mqtt://broker", "broker/x"),
        *("broker:8883", "a b", "broker\n", "[::1]", "-broker", ".broker"),
    ],
)
def test_what_is_no_name_and_no_address_of_a_host_is_told(host, problems_with):
    """A user and a password in it would be told to whoever sees the settings."""
    told = f"gate.toml: [link] broker_host = {host!r}: {HOST}"
    assert problems_with(("link", "broker_host", host)) == [told]


@pytest.mark.parametrize(
    "host",
    [
        *("b", "mqtt.example.org", "mqtt.example.org.", "Broker-1", "mqtt_broker", "x" * 253),
        *("127.1", "10.0.2.2", "::1", "fe80::1%eth0", "2001:DB8::192.0.2.1"),
    ],
)
def test_names_and_addresses_of_hosts_are_taken(host, settings_with):
    assert settings_with(("link", "broker_host", host)).link.broker_host == host


def test_a_default_is_told_as_toml_writes_it(problems_with):
    assert problems_with(("link", "hold_without_subscriber", "yes")) == [
        "gate.toml: [link] hold_without_subscriber = 'yes': must be true or false. "
        "The default is true."
    ]


# -------------------------------------------------------------------------------------- the file


def test_what_is_not_toml_is_told_with_its_place(problems_of):
    (told,) = problems_of("[gate]\nsite = north\n")
    assert told == (
        " not TOML: Invalid value (at line 2, column 8). Numbers have a point and no unit (37.3), "
        "texts stand in quotes, each section stands once."
    )


def test_a_mark_that_an_editor_put_first_is_passed_over(tmp_path, least_text):
    path = tmp_path / "gate.toml"
    path.write_bytes(b"\xef\xbb\xbf" + least_text.replace("\n", "\r\n").encode())
    assert load(path) == decode(least_text.encode(), path=path)


def test_what_is_not_utf8_is_told_with_its_place(problems_of):
    assert problems_of(b'[gate]\nsite = "\xe9"\n') == [
        " not UTF-8 text (byte 15). Save the file as UTF-8."
    ]


def test_a_missing_file_is_told_with_a_remedy(tmp_path):
    path = tmp_path / "gate.toml"
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert caught.value.problems == (
        f"{path}: there is no such file. Write one (gatepost config example --write FILE), or name "
        "another with --config.",
    )


def test_a_directory_is_no_file(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path)
    assert caught.value.problems == (f"{tmp_path}: cannot be read: Is a directory.",)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_told(write):
    path = write("")
    path.chmod(0)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert caught.value.problems == (f"{path}: cannot be read: Permission denied.",)


@pytest.mark.parametrize("text", ["x = " + "1" * 5000, "x = " + "[" * 20000])
def test_what_tomllib_gives_up_on_is_told(text, problems_of):
    assert len(problems_of(text)) == 1


def test_a_run_dir_too_long_for_a_socket_is_refused(problems_with):
    (problem,) = problems_with(("paths", "run_dir", "/" + "x" * 100))
    assert problem.endswith("a path of 116 bytes; choose one that is 9 bytes shorter.")
