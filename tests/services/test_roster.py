"""What comes into a roster from a technician's CSV, and what is found of it."""

import gc

import pytest

from gatepost_services.roster import Member, Roster, RosterError, RosterKey
from gatepost_services.roster.writer import Delta

from .roster_files import AS_OF_UTC_S, NAME, Site

HEADER = b"credential,subject,category\n"
MARKED = b"credential,subject,category,mark\n"
HOUSED = b"credential,subject,category,household\n"
CHANGES = b"change,credential,subject,category\n"


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


@pytest.fixture
def load(site):
    made = []

    def load(content: bytes) -> Roster:
        site.bring(content)
        made.append(site.roster())
        return made[-1]

    yield load
    for roster in made:
        roster.close()


def test_a_credential_is_looked_up(load):
    roster = load(HEADER + 'PASS-1,s-17,resident\n\n"PASS,2",s-18,visitor\r\nZAŻÓŁĆ,s,v'.encode())
    assert roster.state().members == 3
    assert roster.look_up("PASS-1") == Member(subject="s-17", category="resident")
    assert roster.look_up("PASS,2") == Member(subject="s-18", category="visitor")
    assert roster.look_up("ZAŻÓŁĆ") == Member(subject="s", category="v")
    for unknown in ("", "pass-1", "PASS-1 ", "\ud800"):
        assert roster.look_up(unknown) is None


def test_a_subject_is_looked_up(load):
    roster = load(
        b"credential,subject,category,household,mark\nA,s,resident,h1,\nB,s,resident,h1,isolated\n"
        b"C,t,visitor,,\nD,u,resident,h1,duress\n"
    )
    assert roster.person("s") == ("resident", "h1", True)
    assert roster.person("t") == ("visitor", None, False)
    assert roster.person("u") == ("resident", "h1", False)
    for unknown in ("", "A", "S", "\ud800"):
        assert roster.person(unknown) is None
    assert sorted(roster.of_household("h1")) == ["s", "u"]
    assert roster.of_household("") == roster.of_household("h2") == []


def test_a_byte_order_mark_and_an_empty_roster_are_fine(load):
    assert load(b"\xef\xbb\xbf" + HEADER).state()[:2] == (1, AS_OF_UTC_S)


def test_a_pass_shown_under_threat_is_a_second_one_of_the_same_subject(load):
    roster = load(MARKED + b"PASS-1,s-17,resident,\nPASS-2,s-17,resident,duress\n")
    assert roster.look_up("PASS-1") == Member("s-17", "resident", duress=False)
    assert roster.look_up("PASS-2") == Member("s-17", "resident", duress=True)


def test_without_the_column_no_pass_is_marked(load):
    assert load(HEADER + b"PASS-1,s-17,duress\n").look_up("PASS-1") == Member("s-17", "duress")


def test_no_credential_stays_in_memory(load, site):
    roster = load(HEADER + b"SECRET-PASS,s-1,resident\n")
    assert roster.look_up("SECRET-PASS")
    gc.collect()
    assert "SECRET" not in repr(vars(roster))
    assert site.key_path.read_text().strip() not in repr([vars(roster), roster, site.key])


def test_no_credential_and_no_key_is_in_the_file(load, site):
    roster = load(HEADER + b"SECRET-PASS,s-1,resident\n")
    roster.look_up("SECRET-PASS")
    content = b"".join(path.read_bytes() for path in site.path.parent.glob("roster.db*"))
    assert b"s-1" in content
    assert b"SECRET" not in content
    key = site.key_path.read_text().strip()
    assert key.encode() not in content
    assert bytes.fromhex(key) not in content


def test_a_server_may_send_digests_in_place_of_credentials(load, site):
    digest = site.key.digest("SECRET-PASS").hex().encode()
    roster = load(b"digest,subject,category\n" + digest + b",s-1,resident\n")
    assert roster.look_up("SECRET-PASS") == Member("s-1", "resident")


def test_a_digest_is_blake2b_of_rfc_7693_under_the_key():
    # printf PASS-1 | openssl mac (OpenSSL 3) -macopt hexkey:000102...1f -macopt size:32 BLAKE2BMAC
    key = RosterKey(bytes(range(32)))
    digest = "cfd996f84b84cf3277293daa8e9842a4e9103f3d5d6676cc90a40586450a8627"
    assert key.digest("PASS-1").hex() == digest
    assert key.id.hex() == "b6fbe0459eb623da"  # size:8, of nothing


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", ":1: the header"),
        (b"credential,subject\n", ":1: the header"),
        (b"credential,subject,category,name\n", ":1: the header"),
        (b"subject,credential,category\n", ":1: the header"),
        (b"credential,digest,subject,category\n", ":1: the header"),
        (b"credential,change,subject,category\n", ":1: the header"),
        (HEADER + b"SECRET,s\n", ":2: 2 cells"),
        (HEADER + b"SECRET,s,c,x\n", ":2: 4 cells; each line has 3"),
        (HEADER + b"SECRET,s,c,duress\n", ":2: 4 cells; each line has 3"),
        (MARKED + b"SECRET,s,c\n", ":2: 3 cells; each line has 4"),
        (MARKED + b"SECRET,s,c,duress,\n", ":2: 5 cells; each line has 4"),
        (b"credential,subject,mark,category\n", ":1: the header"),
        (b"credential,subject,category,mark,household\n", ":1: the header"),
        (b"credential,subject,category,mark,mark\n", ":1: the header"),
        (MARKED + b"SECRET,s,c,\nb,s,c,threat\n", ":3: mark is unknown; leave it empty, or "),
        (
            MARKED + b"a,s,c,Duress\n",
            ":2: mark is unknown; leave it empty, or write duress or isolated",
        ),
        (MARKED + b"a,s,c,SECRET\n", ":2: mark is unknown"),
        (MARKED + b"SECRET,s,c,duress \n", ":2: mark has blanks"),
        (MARKED + b"SECRET,s,,duress\n", ":2: category is empty"),
        (HEADER + b"SECRET,,c\n", ":2: subject is empty"),
        (HEADER + b",s,c\n", ":2: credential is empty"),
        (HEADER + b"SECRET,s,c\n\nSECRET,s,c\n", ":4: the credential of line 2 again"),
        (HEADER + b"SECRET" * 100 + b",s,c\n", ":2: credential has 600 characters"),
        (HEADER + b"SECRET ,s,c\n", ":2: credential has blanks"),
        (HEADER + b"SEC\x00RET,s,c\n", ":2: "),
        (HEADER + b"a,s\tSECRET,c\n", ":2: subject has blanks around it or control"),
        (HEADER + b"a,s,c\nSECRET\xff,s,c\n", ":3: not UTF-8"),
        (HEADER + b'"SECRET,s,c\n', ":2: not CSV"),
        (HEADER + b"SECRET,s,c\nb,s,d\n", ":3: category or household is not that of the same"),
        (HOUSED + b"SECRET,s,c,h1\nb,s,c,\n", ":3: category or household is not that of the same"),
        (b"digest,subject,category\nSECRET,s,c\n", ":2: digest is not 64 hex digits"),
        (b"digest,subject,category\n" + b"A" * 64 + b",s,c\n", ":2: digest is not 64 hex digits"),
        (CHANGES + b"add,SECRET,s,c\n", ":2: change is unknown; write put or remove"),
        (CHANGES + b"remove,,s,c\n", ":2: credential is empty"),
        (CHANGES + b"put,SECRET,s,c\nremove,SECRET,,\n", ":3: the credential of line 2 again"),
    ],
)
def test_whatever_is_wrong_is_told_with_its_line_and_without_the_credential(site, content, message):
    with pytest.raises(RosterError) as caught:
        site.bring(content)
    assert f"{NAME}{message}" in str(caught.value)
    assert "SECRET" not in str(caught.value)
    assert caught.value.__cause__ is None or "SECRET" not in str(caught.value.__cause__)
    assert not site.path.exists()


def test_a_larger_file_than_any_roster_is_not_read(site, monkeypatch):
    content = HEADER + b"P,s,c\n"
    monkeypatch.setattr("gatepost_services.roster.documents.MOST_BYTES", len(content))
    assert site.read(content)
    with pytest.raises(RosterError, match=f"{len(content) + 1} bytes; at most {len(content)}"):
        site.read(content + b"\n")


def test_a_delta_is_told_from_a_whole_roster_by_its_first_column(site):
    found = site.read(CHANGES + b"put,P,s,resident\nremove,Q,,\n")
    assert isinstance(found, Delta)
    assert [row.subject for row in found.put] == ["s"]
    assert found.remove == [site.key.digest("Q")]


def test_a_file_that_is_not_there_is_told_with_what_helps(site):
    with site.roster() as roster, pytest.raises(RosterError, match="gatepost roster import"):
        roster.look_up("P")
