"""What the package brings beside the program: manual pages, the rule of the devices; its bytes."""

import hashlib
import os
import re
import subprocess

import pytest

pytestmark = pytest.mark.packaging
RULES = "/usr/lib/udev/rules.d/60-gatepost.rules"
PAGES = re.compile(r"^/usr/share/man/\S+\.gz$", re.MULTILINE)
# Prints what `man` says of a page, but not the page.
QUIET = 'man --warnings --encoding=UTF-8 -l "$1" 2>&1 >/dev/null'


@pytest.fixture(scope="module")
def with_man(ready, package, tmp_path_factory):
    """Return a Debian with the package, with man, and with a locale in Chinese."""
    with ready.copied(tmp_path_factory.mktemp("man")) as root:
        wanted = (root.bring(package), "man-db", "locales")
        root.do("apt-get", "-qq", "install", "-y", *wanted)
        root.do("localedef", "-i", "zh_CN", "-f", "UTF-8", "zh_CN.UTF-8")
        yield root


def test_every_command_has_a_page_that_man_shows_without_a_word(with_man):
    pages = PAGES.findall(with_man.do("dpkg", "-L", "gatepost"))
    commands = set(
        re.findall(r"^    ([a-z-]+)(?: |$)", with_man.do("gatepost", "--help"), re.MULTILINE)
    )
    assert {"run", "lane", "doctor"} <= commands
    english = {f"/usr/share/man/man1/gatepost-{name}.1.gz" for name in commands}
    expected = {
        *english,
        "/usr/share/man/man1/gatepost.1.gz",
        "/usr/share/man/man5/gatepost.toml.5.gz",
    }
    assert {page for page in pages if "/zh_CN/" not in page} == expected
    assert "/usr/share/man/zh_CN/man1/gatepost-lane.1.gz" in pages
    for page in pages:
        assert (page, with_man.do("sh", "-c", QUIET, "sh", page)) == (page, "")


def test_who_reads_chinese_gets_the_page_in_chinese_where_there_is_one(with_man):
    def man(locale, page):
        return with_man.do("env", f"LC_ALL={locale}", "man", page)

    assert re.search(r"^名称$", man("zh_CN.UTF-8", "gatepost-lane"), re.MULTILINE)
    assert re.search(r"^NAME$", man("C.UTF-8", "gatepost-lane"), re.MULTILINE)
    assert re.search(r"^名称$", man("zh_CN.UTF-8", "gatepost.toml"), re.MULTILINE)
    assert re.search(r"^NAME$", man("zh_CN.UTF-8", "gatepost-run"), re.MULTILINE)
    with_man.do("mandb", "--quiet")
    told = with_man.do("env", "LC_ALL=zh_CN.UTF-8", "whatis", "gatepost-doctor")
    assert re.search(r"gatepost-doctor \(1\) +- \S*闸口", told)


def test_the_rule_of_the_devices_is_in_its_place_and_names_groups_that_there_are(installed):
    rules = (installed.path / RULES.lstrip("/")).read_text()
    assert set(re.findall(r'GROUP="(\w+)"', rules)) <= installed.names("group")
    assert set(re.findall(r'OWNER="([\w-]+)"', rules)) <= installed.names("passwd")
    installed.do("apt-get", "-qq", "install", "-y", "udev")
    if "verify" not in installed.do("udevadm", "--help"):
        pytest.skip("this udev cannot look at a rule: it is older than 254")
    told = installed.run("udevadm", "verify", RULES)
    assert told.status == 0, told.text
    assert re.search(r"Success: +1\b", told.text), told.text


def test_the_same_checkout_gives_the_same_bytes(build, monkeypatch):
    def digest(package):
        return hashlib.sha256(package.read_bytes()).hexdigest()

    first = digest(build("arm64"))
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    monkeypatch.setenv("LC_ALL", "C")
    mask = os.umask(0o077)
    try:
        again = build("arm64", "again")
    finally:
        os.umask(mask)
    told = subprocess.run(["dpkg-deb", "-c", again], capture_output=True, text=True, check=True)
    assert digest(again) == first, told.stdout
