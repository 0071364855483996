"""Commands of the central server: what they are, whose count, and what became of each."""
