"""Services of a gate: the journal, the roster, the link to the centre, and a reference centre.

This package and its sub-packages import nothing here: the gate must not load the MQTT client.
"""
