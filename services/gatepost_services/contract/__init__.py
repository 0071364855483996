"""What crosses the wire: names, envelopes, sizes. Pure."""
