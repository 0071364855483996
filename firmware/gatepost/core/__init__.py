"""The decisions. PURE: no clock, I/O, thread, log or driver; time arrives inside events."""
