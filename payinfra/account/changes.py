"""Changes to an account, each recorded before it is made; a dry run only records them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")


@dataclass
class Changes:
    """Makes changes, or in a dry run only records them.

    Attributes:
        dry_run: whether nothing is changed.
        said: each change in a phrase, in the order in which they are made.
    """

    dry_run: bool = False
    said: list[str] = field(default_factory=list)

    def make(self, what: str, act: Callable[[], T]) -> T | None:
        """Make a change and return its result, or None in a dry run."""
        self.said.append(what)
        return None if self.dry_run else act()
