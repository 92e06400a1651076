"""The version of payinfra, as pyproject.toml states it."""

__version__ = "0.1.0"
