"""The controller: a pure core that decides, a loop that waits, and the wiring between them."""

__version__ = "0.1.0"
