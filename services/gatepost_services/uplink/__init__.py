"""The link process: drains the journal to the broker.

The gate imports `position` from here; therefore this file imports nothing.
"""
