"""Credentials of an AWS account, as a value."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class AccessKey:
    """Credentials of an AWS account. Shown without its secret."""

    access_key_id: str
    secret_access_key: str = field(repr=False)


NO_ACCESS_KEY = AccessKey("none", "none")
"""Stands for a key that is not known. The embedded AWS refuses it; the caller's own key is not sent there."""
