"""What cloud-init reads from the boot partition (NoCloud, as Raspberry Pi OS trixie is set up).

Each file is JSON behind its first line: every JSON document is YAML, and JSON quotes by rules that
nobody can get wrong, so that a network called `no` stays a name; a library for YAML is not needed.

None of them holds the settings or the token. cloud-init keeps what it reads under /var/lib/cloud,
where no wiping reaches it.
"""

import json
import secrets

_USER = "technician"


def user_data(hostname: str, ssh_key: str | None) -> str:
    """Return `user-data`: the machine's name, and who may log in: with a key, or nobody."""
    document: dict[str, object] = {
        "hostname": hostname,
        "manage_etc_hosts": True,
        "ssh_pwauth": False,
    }
    if ssh_key is not None:
        document["enable_ssh"] = True
        document["users"] = [
            {
                "name": _USER,
                "gecos": "Gatepost technician",
                "shell": "/bin/bash",
                "groups": "users,adm",
                # No password: sudo cannot ask for one.
                "lock_passwd": True,
                "sudo": "ALL=(ALL) NOPASSWD:ALL",
                "ssh_authorized_keys": [ssh_key],
            }
        ]
    return "#cloud-config\n" + _json(document)


def network_config(name: str, key: str, country: str) -> str:
    """Return `network-config`: the cable, and a Wi-Fi where `name` is not empty.

    Args:
        name: of the Wi-Fi.
        key: its key, 64 hexadecimal digits.
        country: whose rules the radio keeps, two capitals.
    """
    # optional: a start does not wait for it.
    wire = {"dhcp4": True, "optional": True}
    network: dict[str, object] = {"version": 2, "ethernets": {"eth0": wire}}
    if name:
        network["wifis"] = {
            "wlan0": {
                "dhcp4": True,
                "optional": True,
                "regulatory-domain": country,
                "access-points": {name: {"password": key}},
            }
        }
    return "# Written by gatepost provision.\n" + _json({"network": network})


def meta_data(hostname: str) -> str:
    """Return `meta-data`. Its id is a new one each time: cloud-init does its work once an id."""
    return f"instance-id: gatepost-{hostname}-{secrets.token_hex(4)}\n"


def _json(document: dict[str, object]) -> str:
    # Not ASCII alone: YAML does not join the two halves in which JSON escapes a rare sign.
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
