"""The shared deployment, with one of its regions made dark or grey."""

from tests.e2e.payments.conftest import body, key, shop

__all__ = ["body", "key", "shop"]
