"""`gatepost rules`, as somebody at a terminal sees it."""

import subprocess
import sys

import pytest

from gatepost.cli import rules
from gatepost.cli.main import main
from gatepost_config.catalogue import SERVED, catalogue


def test_coverage_has_a_line_for_each_rule_and_the_sums(capsys):
    assert main(["rules", "coverage"]) == 0
    table, sums = capsys.readouterr().out.split("\n\n")
    header, *lines = table.splitlines()
    assert header.split() == ["id", "served", "tests", "by"]
    assert [line.split()[0] for line in lines] == list(catalogue())
    rule = catalogue()["R005"]
    assert lines[4].split(maxsplit=3) == ["R005", rule.served, str(len(rule.tests)), rule.by]
    by_word = {words[2]: (int(words[0]), int(words[1])) for words in sums_of(sums)}
    assert [*by_word] == [*SERVED, "all"]
    *kinds, every = by_word.values()
    assert every == (303, 190)
    assert tuple(map(sum, zip(*kinds, strict=True))) == every


def sums_of(text):
    return [line.split() for line in text.splitlines()[1:]]


@pytest.mark.parametrize("word", SERVED)
def test_coverage_of_one_kind_has_no_other(word, capsys):
    assert main(["rules", "coverage", "--served", word]) == 0
    table, sums = capsys.readouterr().out.split("\n\n")
    lines = table.splitlines()[1:]
    assert lines
    assert {line.split()[1] for line in lines} == {word}
    kind, every = sums_of(sums)
    assert kind[:2] == every[:2] == [str(len(lines)), kind[1]]
    assert (kind[2], every[2]) == (word, "all")


def test_the_markdown_has_every_rule_with_its_words_and_tests(capsys):
    assert main(["rules", "coverage", "--markdown"]) == 0
    out = capsys.readouterr().out
    assert out == rules.as_markdown()
    rows = [line for line in out.splitlines() if line.startswith("| R")]
    assert len(rows) == 303
    assert {row.count(" | ") for row in rows} == {7}
    rule = catalogue()["R001"]
    assert rule.words in rows[0]
    assert all(f"`{test.removeprefix('tests/')}`" in rows[0] for test in rule.tests)


def test_the_table_is_renewed_in_a_file(tmp_path, capsys):
    path = tmp_path / "RULES.md"
    path.write_text(f"before\n{rules.BEGIN}\nstale\n{rules.END}\nafter\n", encoding="utf-8")
    assert main(["rules", "coverage", "--markdown", str(path)]) == 0
    assert capsys.readouterr().out == ""
    text = path.read_text(encoding="utf-8")
    assert text == f"before\n{rules.BEGIN}\n\n{rules.as_markdown()}\n{rules.END}\nafter\n"


def test_a_file_without_the_markers_is_left_alone(tmp_path, capsys):
    path = tmp_path / "RULES.md"
    path.write_text("nothing of ours\n", encoding="utf-8")
    with pytest.raises(SystemExit) as end:
        main(["rules", "coverage", "--markdown", str(path)])
    assert end.value.code == 1
    assert str(path) in capsys.readouterr().err
    assert path.read_text(encoding="utf-8") == "nothing of ours\n"


@pytest.mark.parametrize("id_", ["R005", "r005"])
def test_one_rule_is_shown_with_all_that_is_known_of_it(id_, capsys):
    assert main(["rules", "show", id_]) == 0
    out = capsys.readouterr().out
    rule = catalogue()["R005"]
    assert out.startswith(f"R005: {rule.words}\n")
    for words in (rule.source, rule.strength, rule.site, rule.served, rule.by, *rule.tests):
        assert words in out


def test_a_rule_without_tests_says_so(capsys):
    assert not catalogue()["R303"].tests
    assert main(["rules", "show", "R303"]) == 0
    assert capsys.readouterr().out.endswith("tests:   none\n")


@pytest.mark.parametrize("id_", ["R000", "R304", "5", ""])
def test_a_rule_that_does_not_exist_is_wrong_usage(id_, capsys):
    with pytest.raises(SystemExit) as end:
        main(["rules", "show", id_])
    assert end.value.code == 2
    assert "R001 to R303" in capsys.readouterr().err


def test_it_runs_as_a_command_of_its_own():
    done = subprocess.run(
        [sys.executable, "-m", "gatepost", "rules", "show", "R137"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("R137: ")
