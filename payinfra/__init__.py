"""payinfra: a two-region AWS payments backend, from flags to verified, and the rehearsal of a region's loss."""

__version__ = "0.1.0"
