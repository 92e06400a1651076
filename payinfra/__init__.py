"""payinfra: a two-region AWS payments backend, from flags to verified, and a rehearsal of losing a region."""

__version__ = "0.1.0"
