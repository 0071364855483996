"""A lane on a PC: the real drivers above simulated bytes on the bus and levels on the pins."""
