"""The embedded AWS: an emulator in a process of its own, with one loopback port a region."""
