"""The commands that remedies name are such that they do it."""

import re
from pathlib import Path

import pytest

from gatepost.cli.main import make_parser
from gatepost.doctor.model import texts
from gatepost_services.uplink import tls

pytestmark = pytest.mark.packaging
REMEDIES = [p.remedy for text in texts().values() for p in text.problems.values()]
ROOT = Path(__file__).parents[2]
PAGES = [
    "firmware/gatepost/cli/calibrate.py",
    "firmware/manual/en/calibration.md",
    "firmware/manual/zh-CN/calibration.md",
    "firmware/gatepost/locale/zh_CN/LC_MESSAGES/gatepost.po",
    "services/gatepost_services/pki/est_client.py",
]
# A remedy says all of it; elsewhere the command may be spoken of by its name alone.
ENROL = re.compile(r"gatepost (enrol\b[ \w:/-]*)", re.ASCII)
NTP_OFF = "sudo timedatectl set-ntp false"


def test_enrolling_has_its_url_and_no_token_stays_in_the_shells_history():
    found = [each for text in (*REMEDIES, tls._ENROL) for each in ENROL.findall(text)]
    more = [each for page in PAGES for each in ENROL.findall(_read(page))]
    found += [each for each in more if re.match(r"enrol (-|[A-Z])(?!-help)", each)]
    assert len(found) >= 20
    for words in found:
        args = make_parser(["enrol"]).parse_args(words.split())
        assert args.renew or (args.token == "-" and args.url), words


def test_the_clock_is_set_where_a_time_service_runs():
    """systemd refuses set-time while its time service is on."""
    found = 0
    for text in (*REMEDIES, *map(_read, PAGES)):
        whole = re.sub(r'"\n\s*"', "", text)  # as Python and a .po file break a text
        for line in re.findall(r".*set-time\b(?!zone).*", whole):
            before, _, after = line.partition("timedatectl set-time 'YYYY-MM-DD HH:MM'")
            assert NTP_OFF in before
            assert "sudo timedatectl set-ntp true" in after
            found += 1
    assert found >= len(PAGES)


def _read(page):
    return (ROOT / page).read_text(encoding="utf-8")
