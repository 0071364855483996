"""Provisioning: a folder a gate for its card, made at a desk; and its first boot, on the gate."""
