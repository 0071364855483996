"""Which language a command speaks, and that programs never see it."""

# ruff: noqa: RUF001 - Chinese punctuation is what is meant

import gettext
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gatepost.cli import words
from gatepost.cli.main import main
from gatepost.core.words import Text
from gatepost.doctor import columns
from gatepost_config.commented import example

CHINESE = "zh_CN.UTF-8"
NAMES = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")


@pytest.fixture
def locale(monkeypatch):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "stdin", io.StringIO())  # nobody is there to be asked

    def set_to(**environ):
        for name, value in environ.items():
            monkeypatch.setenv(name, value)

    yield set_to
    words.begin("run", {})


@pytest.mark.parametrize(
    ("environ", "is_english"),
    [
        ({}, True),
        ({"LANG": "C"}, True),
        ({"LANG": "C.UTF-8"}, True),
        ({"LANG": "en_GB.UTF-8"}, True),
        ({"LANG": "de_DE.UTF-8"}, True),  # there is no German
        ({"LANG": "zh_TW.UTF-8"}, True),  # other characters, other words
        ({"LANG": CHINESE}, False),
        ({"LANG": "zh_CN"}, False),
        ({"LC_MESSAGES": CHINESE}, False),
        ({"LC_ALL": CHINESE}, False),
        ({"LC_ALL": "C", "LANG": CHINESE}, True),
        ({"LC_ALL": "en_US.UTF-8", "LC_MESSAGES": CHINESE}, True),
        ({"LC_MESSAGES": "C", "LANG": CHINESE}, True),
        ({"LC_ALL": "", "LANG": CHINESE}, False),
        ({"LANGUAGE": "zh_CN", "LANG": "en_US.UTF-8"}, False),
        ({"LANGUAGE": "de:zh_CN:en", "LANG": "de_DE.UTF-8"}, False),
        ({"LANGUAGE": "en:zh_CN", "LANG": CHINESE}, True),
        ({"LANGUAGE": "zh_CN", "LANG": "C"}, True),  # as GNU gettext has it
    ],
)
def test_the_language_is_chosen_as_gettext_does(environ, is_english):
    words.begin("doctor", environ)
    assert words.is_english() is is_english
    words.begin("doctor", {})
    assert words.is_english()


def test_a_command_that_is_not_whole_stays_english():
    words.begin("run", {"LANG": CHINESE})
    assert words.is_english()
    assert gettext.textdomain() == "messages"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "an unknown one"])
def test_what_cannot_be_shown_is_not_said(monkeypatch, encoding):
    class Stream(io.StringIO):
        pass

    Stream.encoding = encoding
    monkeypatch.setattr(sys, "stderr", Stream())
    words.begin("doctor", {"LANG": CHINESE})
    assert words.is_english()


def test_texts_are_said_with_what_is_filled_in(locale):
    words.begin("doctor", {"LANG": CHINESE})
    assert words.say("the entry") == "入口"
    assert words.say("about {khz} kHz", khz=99) == "约 99 kHz"
    assert words.say(Text("about {khz} kHz", {"khz": 99})) == "约 99 kHz"
    assert words.say(Text("{path}: {why}", {"path": "a", "why": Text("ground")})) == "a：地（GND）"
    assert words.say("of somebody else: {brace}") == "of somebody else: {brace}"
    assert words.say("") == ""
    words.begin("doctor", {})
    assert words.say(Text("{path}: {why}", {"path": "a", "why": Text("ground")})) == "a: ground"
    locale(LANG=CHINESE)  # for the fixture's end


def test_a_text_is_english_for_programs():
    text = Text("about {khz} kHz", {"khz": 99})
    assert text == "about 99 kHz"
    assert json.dumps([text]) == '["about 99 kHz"]'
    assert Text("a {brace} of a path") == "a {brace} of a path"
    with pytest.raises(KeyError):
        Text("{one}", {"other": 1})


@pytest.mark.parametrize(
    ("answer", "expected"),
    [("y", True), (" Yes\n", True), ("是", True), ("n", False), ("NO", False), ("否", False)]
    + [(other, None) for other in ("", "yn", "不", "ye")],
)
def test_both_languages_are_understood(answer, expected):
    assert words.yes_or_no(answer) is expected


def test_help_is_in_the_language_and_names_stay(locale, capsys):
    locale(LANG=CHINESE, COLUMNS="70")
    with pytest.raises(SystemExit, match="0"):
        main(["doctor", "--help"])
    out = capsys.readouterr().out
    assert "用法：gatepost doctor [-h] [--config FILE]" in out
    assert "显示本帮助并退出" in out
    assert "默认：/etc/gatepost/gatepost.toml" in "".join(out.split())
    assert all(columns.width(line) <= 70 for line in out.splitlines())


def test_the_list_of_commands_is_in_the_language(locale, capsys):
    locale(LC_ALL=CHINESE)
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    assert "控制闸机（闸口进程）" in capsys.readouterr().out


def test_wrong_usage_is_told_in_the_language_with_the_same_status(locale, capsys):
    locale(LANG=CHINESE)
    with pytest.raises(SystemExit, match="2"):
        main(["doctor", "--no-such"])
    assert "无法识别的参数：--no-such" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["doctor", "--yes"])
    assert capsys.readouterr().err == "gatepost: --yes 要与 --move 同用\n"


def test_programs_get_the_same_document_in_every_locale(locale, capsys, tmp_path):
    arguments = ["doctor", "--only", "config.file", "--config", str(tmp_path / "none"), "--json"]
    status = main(arguments)
    english = capsys.readouterr().out
    locale(LANG=CHINESE)
    assert main(arguments) == status == 2
    assert capsys.readouterr().out == english
    assert json.loads(english)["checks"][0]["title"] == "Configuration"


def test_the_report_lines_up_in_columns(locale, capsys, tmp_path):
    locale(LANG=CHINESE)
    assert main(["doctor", "--only", "config.file", "--config", str(tmp_path / "none")]) == 2
    line, *rest = capsys.readouterr().out.splitlines()
    assert line.startswith("故障  config.file         没有配置：")
    assert "  处理   把 config/gatepost.example.toml" in "\n".join(rest)
    assert rest[-1].startswith("故障: 1, 警告: 0, ")


@pytest.fixture
def config(tmp_path):
    text = example()
    for folder in ("/var/lib/gatepost", "/etc/gatepost", "/run/gatepost"):
        text = text.replace(folder, str(tmp_path / folder.strip("/")))
    # The example shows defaults behind a mark: these are to count.
    text = re.sub(rf'(?m)^#(\w+ = "{re.escape(str(tmp_path))})', r"\1", text)
    path = tmp_path / "gatepost.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


CASES = {
    "erase": (["s-1", "--yes"], 1, "roster: there is none (", "人员名单：不存在（"),
    "erase ": (["s-1"], 2, "nobody is there to be asked", "没有人可以询问是否确定"),
    "enrol": ([], 2, "say a TOKEN, or --renew", "请给出 TOKEN，或用 --renew"),
    "roster": (["import", "-", "--base", "0" * 64], 2, "is of a change", "--base 用于更改"),
    "factory-reset": (["--dry-run"], 0, "this is erased for good:", "将永久清除以下内容："),
    "journal": (["stats"], 1, "no journal there; the gate makes it", "没有事件日志；闸口第一次"),
    "measure": (["--simulated", "34.5"], 0, "because: untrusted", "原因：不可信"),
    "provision": (["/none.csv", "/none", "--hours", "0"], 2, "must be 1 to 744", "必须为 1 到 744"),
    "config": (["check"], 0, "good, for gate", "可用，属于站点"),
    "config ": (
        ["reference", "zzz", "qqq"],
        1,
        "zzz or qqq in its name",
        "没有名称含有 zzz 或 qqq 的配置",
    ),
    "first-boot": (
        ["--boot", "/none"],
        2,
        "/none: there is no such folder",
        "/none：没有这个文件夹",
    ),
}


@pytest.mark.parametrize("command", CASES)
def test_a_whole_command_speaks_either(command, config, locale, capsys):
    arguments, status, english, chinese = CASES[command]
    for language, expected in ((CHINESE, chinese), ("C", english)):
        locale(LC_ALL=language)
        at = [] if command == "provision" else ["--config", config]
        try:
            ended = main([command.strip(), *at, *arguments])
        except SystemExit as end:
            ended = end.code
        said = "".join(capsys.readouterr())
        assert ended == status
        assert expected in said
        assert (language == "C") is said.isascii()


@pytest.mark.parametrize(
    "arguments",
    [
        ["config", "show", "--json"],
        ["config", "wiring", "--json"],
        ["config", "schema"],
        ["measure", "--simulated", "34.5", "--json"],
    ],
    ids=" ".join,
)
def test_programs_get_english_whatever_people_get(arguments, config, locale, capsys):
    told = []
    for language in (CHINESE, "C"):
        locale(LC_ALL=language)
        assert main([*arguments[:1], "--config", config, *arguments[1:]]) == 0
        told += [capsys.readouterr().out]
    assert told[0] == told[1]
    assert json.loads(told[0])


def test_a_sensor_that_is_silent_is_told_to_programs_in_english(config, locale, capsys):
    text = Path(config).read_text(encoding="utf-8").replace("#i2c_bus = 3", "i2c_bus = 250")
    Path(config).write_text(text, encoding="utf-8")
    locale(LC_ALL=CHINESE)
    with pytest.raises(SystemExit, match="1"):
        main(["measure", "--config", config, "--json"])
    said = capsys.readouterr()
    assert "The sensor does not answer: absent: " in json.loads(said.out)["failure"]
    assert "传感器没有应答：absent：" in said.err


def test_how_the_lane_stands_is_told_in_the_language_and_to_programs_as_ever(
    config, locale, capsys, monkeypatch
):
    status = {"state": "idle", "standing": [], "inputs": {"fire": True}, "faults": []}
    monkeypatch.setattr("gatepost.cli.lane.ask", lambda *_: status)
    locale(LANG=CHINESE)
    assert main(["lane", "--config", config, "status"]) == 0
    expected = "状态：idle；已下达或已触发：无；有效输入：fire；故障：无\n"
    assert capsys.readouterr().out == expected
    assert main(["lane", "--config", config, "status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == status


def test_the_gate_that_refuses_says_why_in_the_language(config, locale, capsys, monkeypatch):
    answer = {"state": "idle", "standing": [], "inputs": {}, "faults": [], "why": "not_now"}
    monkeypatch.setattr("gatepost.cli.lane.ask", lambda *_: answer)
    locale(LANG=CHINESE)
    assert main(["lane", "--config", config, "lock"]) == 1
    assert capsys.readouterr().out.startswith(
        "lock：被拒绝，当前状态下不行；见 gatepost lane status。"
    )


def test_a_yes_in_chinese_is_one(config, locale, capsys, monkeypatch):
    done = {"state": "idle", "standing": [], "inputs": {}, "faults": [], "done": True}
    monkeypatch.setattr("gatepost.cli.lane.ask", lambda *_: done)
    locale(LANG=CHINESE)
    for answer, status in (("是\n", 0), ("否\n", 1)):
        terminal = io.StringIO(answer)
        terminal.isatty = lambda: True
        monkeypatch.setattr(sys, "stdin", terminal)
        try:
            ended = main(["lane", "--config", config, "release-entry"])
        except SystemExit as end:
            ended = end.code
        assert ended == status
    said = capsys.readouterr()
    assert "入口将为一个人放开。" in said.out
    assert said.err == "gatepost: 没有执行任何操作\n"


def test_a_terminal_without_chinese_gets_english():
    ran = subprocess.run(
        [sys.executable, "-m", "gatepost", "doctor", "--help"],
        env={"LC_ALL": CHINESE, "PYTHONIOENCODING": "ascii", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        check=True,
    )
    assert ran.stdout.isascii()
    assert b"show this help" in ran.stdout
    assert ran.stderr == b""


# ----------------------------------------------------------------------------------------- columns


def test_a_chinese_character_takes_two_columns():
    assert columns.width("ab闸口。") == 8
    assert columns.padded("闸口", 6) == "闸口  "
    assert columns.fitted("闸口进程", 8) == ["闸口进程"]
    assert columns.fitted("闸口进程", 7) == ["闸口进", "程"]


def test_a_long_text_is_broken_between_characters_and_no_word_is_cut():
    text = "先执行 sudo systemctl stop gatepost-gate，再试一次。"
    lines = columns.wrapped(text, 20)
    assert all(columns.width(line) <= 20 for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert any("gatepost-gate，" in line for line in lines)
    assert not any(line[0] in "，。" for line in lines)


def test_no_line_begins_with_what_closes():
    assert columns.wrapped("一二三四，五六", 8) == ["一二三", "四，五六"]


def test_english_is_broken_at_spaces():
    assert columns.wrapped("one two three", 8) == ["one two", "three"]
    assert columns.wrapped("a-very-long-word here", 8) == ["a-very-long-word", "here"]
    assert columns.wrapped("", 8) == [""]
