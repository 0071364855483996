"""The trust list: signed, numbered, replaced whole, and never by an older or a bad one."""

import errno
from datetime import timedelta
from pathlib import Path

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gatepost_services.credentials import cose, trust
from gatepost_services.credentials.keys import HCERT_USES, Use
from gatepost_services.credentials.signing import kid_of, spki
from gatepost_services.credentials.trust import TrustError, TrustFile
from gatepost_services.state_file import StateFileError

from .pass_kit import HOUR, KEY, NOW, OTHER, ROOT, SITE, trust_list, trusted

ROOTS = (ROOT.public_key(),)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
KID = kid_of(KEY.public_key())
ID = bytes(range(16))


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "trust.cose"


def read(data, **changed):
    return trust.read(data, **{"roots": ROOTS, "site": SITE, **changed})


def refused(data, **changed) -> str:
    with pytest.raises(TrustError) as caught:
        read(data, **changed)
    return str(caught.value)


def document(**changed):
    entry = {
        "kid": KID,
        "spki": spki(KEY.public_key()),
        "use": ["pass"],
        "not_before": 0,
        "not_after": 2**32,
    }
    whole = {
        "type": "gatepost-trust-list",
        "site": SITE,
        "version": 1,
        "issued": 1,
        "keys": [entry | changed.pop("key", {})],
        "revoked_keys": [],
        "revoked_passes": [],
    } | changed
    return cose.sign(cbor2.dumps(whole), ROOT, b"root")


def opened(path) -> TrustFile:
    return TrustFile(path, ROOTS, SITE)


# -------------------------------------------------------------------------------- what it says


def test_what_was_issued_is_read():
    p256 = ec.generate_private_key(ec.SECP256R1()).public_key()
    rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    keys = (
        trusted(),
        trusted(OTHER),
        trusted(kid=b"cert-1", key=p256, uses=HCERT_USES),
        trusted(kid=b"cert-1", key=rsa_key, uses=frozenset({Use.TEST})),
    )
    data = trust_list(7, keys=keys, revoked_keys=frozenset({b"x"}), revoked_passes=frozenset({ID}))
    found = read(data)
    assert (found.site, found.version, found.issued_utc) == (SITE, 7, NOW - HOUR)
    assert (found.revoked_keys, found.revoked_passes) == ({b"x"}, {ID})
    assert [(key.kid, spki(key.key), key.uses) for key in found.keys] == [
        (key.kid, spki(key.key), key.uses) for key in keys
    ]
    assert {(key.not_before_utc, key.not_after_utc) for key in found.keys} == {
        (NOW - DAY, NOW + DAY)
    }
    assert [len(same) for same in found.believed().values()] == [1, 1, 2]
    assert found.digest == read(data).digest != read(trust_list(8)).digest


def test_a_revoked_key_is_on_the_list_and_does_not_count():
    found = read(trust_list(keys=(trusted(), trusted(OTHER)), revoked_keys=frozenset({KID})))
    assert len(found.keys) == 2
    assert [*found.believed()] == [kid_of(OTHER.public_key())]


def test_a_use_of_tomorrow_makes_a_key_that_counts_for_nothing():
    (key,) = read(document(key={"use": ["parcel"]})).keys
    assert key.uses == frozenset()


def test_what_a_newer_server_says_besides_is_ignored():
    assert read(document(comment="x", key={"comment": "y"})).version == 1


# -------------------------------------------------------------------------------- what is refused


def test_only_the_root_signs_a_list_and_two_may_while_one_follows_the_other():
    data = trust_list(root=OTHER)
    assert "not signed by the root key of [passes] root_key" in refused(data)
    assert "not signed" in refused(data, roots=())
    assert read(data, roots=(*ROOTS, OTHER.public_key())).version == 1


def test_a_list_of_another_site_is_refused():
    assert refused(trust_list(site="south")) == "for the site 'south'; this gate is of 'north'"


def test_a_pass_that_the_root_signed_is_no_list():
    assert "'gatepost-pass'" in refused(document(type="gatepost-pass"))


@pytest.mark.parametrize(
    "changed",
    [
        {"version": 0},
        {"version": True},
        {"version": "1"},
        {"issued": -1},
        {"issued": 253402300800},
        {"keys": {}},
        {"site": None},
        {"revoked_keys": [b""]},
        {"revoked_keys": ["text"]},
        {"revoked_passes": [b"short"]},
        {"key": {"kid": b""}},
        {"key": {"kid": bytes(65)}},
        {"key": {"spki": "text"}},
        {"key": {"not_after": None}},
        {"key": {"use": "pass"}},
    ],
)
def test_a_list_of_the_wrong_form_is_refused(changed):
    assert refused(document(**changed)).startswith("no trust list: ")


def test_a_key_that_cannot_be_read_is_named():
    assert refused(document(key={"spki": b"junk"})).startswith("key 1 of the list: ")
    p192 = spki(ec.generate_private_key(ec.SECP192R1()).public_key())
    assert refused(document(key={"spki": p192})).startswith("key 1 of the list: ")


def test_no_changed_byte_is_taken():
    data = trust_list()
    for at in range(len(data)):
        for bit in (1, 0x80):
            changed = bytearray(data)
            changed[at] ^= bit
            refused(bytes(changed))
    assert refused(b"")
    assert refused(data[:-1])


# -------------------------------------------------------------------------------- how old it is


def test_a_list_is_stale_when_it_is_too_old_or_nobody_knows():
    held = read(trust_list())  # issued an hour before NOW
    assert trust.freshness(held, NOW, HOUR) == (HOUR, False)
    assert trust.freshness(held, NOW + SECOND, HOUR) == (HOUR + SECOND, True)
    assert trust.freshness(held, None, HOUR) == (None, True)
    assert trust.freshness(held, NOW + 900 * DAY, None) == (HOUR + 900 * DAY, False)
    assert trust.freshness(held, None, None) == (None, False)


def test_a_list_from_tomorrow_is_stale_and_one_of_a_server_that_is_ahead_is_not():
    held = read(trust_list())
    assert not trust.freshness(held, NOW - HOUR - DAY, HOUR).is_stale
    assert trust.freshness(held, NOW - HOUR - DAY - SECOND, HOUR).is_stale


# -------------------------------------------------------------------------------- the gate's file


def test_a_gate_without_a_list_believes_nobody_and_says_what_to_do(path):
    file = opened(path)
    assert (file.held, dict(file.keys)) == (None, {})
    assert file.problem == f"{path}: there is no trust list; `gatepost trust install` one"


def test_what_is_installed_is_in_force_at_once_and_after_a_restart(path):
    file = opened(path)
    file.install(trust_list(3))
    for each in (file, opened(path)):
        assert (each.held.version, each.problem, [*each.keys]) == (3, None, [KID])
    file.install(trust_list(4, keys=()))
    assert dict(file.keys) == {}


def test_a_gate_never_goes_back_nor_to_another_list_of_the_same_number(path):
    file = opened(path)
    same = trust_list(3)
    file.install(same)
    with pytest.raises(TrustError, match=r"version 2: this gate holds 3.*as version 4"):
        file.install(trust_list(2))
    with pytest.raises(TrustError, match=r"version 3: this gate holds another.*as version 4"):
        file.install(trust_list(3, keys=()))
    assert path.read_bytes() == same
    assert file.install(same).version == 3


def test_after_a_restart_neither(path):
    opened(path).install(trust_list(3))
    with pytest.raises(TrustError, match="version 2"):
        opened(path).install(trust_list(2))


@pytest.mark.parametrize("bad", [b"", b"junk", trust_list(9, root=OTHER), trust_list(9)[:-1]])
def test_a_bad_list_changes_nothing(path, bad):
    file = opened(path)
    good = trust_list(3)
    file.install(good)
    with pytest.raises(TrustError):
        file.install(bad)
    assert (file.held.version, file.problem, path.read_bytes()) == (3, None, good)


def test_a_file_that_was_replaced_is_taken_up_if_it_may_follow(path):
    file = opened(path)
    file.install(trust_list(3))
    opened(path).install(trust_list(4))
    file.refresh()
    assert (file.held.version, file.problem) == (4, None)


@pytest.mark.parametrize("bad", [b"junk", trust_list(2), None])
def test_the_last_good_one_stays_in_force_when_the_file_is_not(path, bad):
    file = opened(path)
    file.install(trust_list(3))
    path.unlink()
    if bad is not None:
        path.write_bytes(bad)
    file.refresh()
    assert [*file.keys] == [KID]
    assert file.problem.startswith(f"{path}: ")
    assert file.problem.endswith("; version 3 stays in force")
    file.install(trust_list(5))
    assert (file.held.version, file.problem) == (5, None)


def test_a_list_that_is_not_replaced_is_not_read_again(path, monkeypatch):
    file = opened(path)
    file.install(trust_list(3))
    monkeypatch.setattr(trust, "read_state", lambda _: pytest.fail("read"))
    file.refresh()


def test_a_disk_that_does_not_take_it_leaves_the_old_one_in_force(path, monkeypatch):
    file = opened(path)
    file.install(trust_list(3))

    def full(where, _):
        raise StateFileError(errno.ENOSPC, f"{where}: cannot be written: no space")

    monkeypatch.setattr(trust, "write_state", full)
    with pytest.raises(StateFileError):
        file.install(trust_list(4))
    assert file.held.version == 3


def test_a_folder_in_its_place_is_told(path):
    path.mkdir()
    assert opened(path).problem == f"{path}: cannot be read: Is a directory"


def test_a_list_of_twenty_thousand_revoked_passes_is_small_enough(path):
    revoked = frozenset(number.to_bytes(16) for number in range(20_000))
    file = opened(path)
    file.install(trust_list(1, revoked_passes=revoked))
    assert opened(path).held.revoked_passes == revoked
