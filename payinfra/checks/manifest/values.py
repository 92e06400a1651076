"""What reading one property of a manifest can give besides its value: three reasons for having none."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from payinfra.checks.manifest.json_value import Json
from payinfra.checks.manifest.syntax import shown


class Linked(str):
    """A text whose value a plan knows, together with the expression that it came from.

    A plan knows that a policy names `arn:aws:kms:eu-west-1:1:key/5a`; that it is a key of *this* stack,
    only the expression says. The text itself is the expression where there is one: so checks see the same in
    a plan of what stands as in one of what is new.

    Attributes:
        known: Terraform's value.
        written: what it refers to, with `${` around each expression.
    """

    __slots__ = ("known", "written")
    known: str
    written: str

    def __new__(cls, text: str, known: str, written: str) -> "Linked":
        """Make one; `text` is the expression, or the value where only its references are known."""
        made = super().__new__(cls, text)
        made.known = known
        made.written = written
        return made


@dataclass(frozen=True)
class Unreadable(ABC):
    """No value, and why. Every accessor gives its value or one of the three subclasses, and never raises.

    Attributes:
        path: the property that was asked for, such as `replica[0].kms_key_arn`.
    """

    path: str

    @property
    @abstractmethod
    def why(self) -> str:
        """A phrase for a message: "replica is not set"."""


@dataclass(frozen=True)
class Missing(Unreadable):
    """The property is not set, or set to null, which Terraform takes for the same."""

    @property
    def why(self) -> str:
        """A phrase for a message."""
        return f"{self.path} is not set"


@dataclass(frozen=True)
class Unresolved(Unreadable):
    """The property is set, but only Terraform knows to what: not knowing is not passing.

    Attributes:
        expression: what stands there, as far as it could be resolved.
    """

    expression: str

    @property
    def why(self) -> str:
        """A phrase for a message. No literal of the expression is in it: that may be a secret."""
        return f"{self.path} cannot be resolved here: {shorten(shown(self.expression))}"


@dataclass(frozen=True)
class WrongType(Unreadable):
    """The property holds something that its reader cannot take for a value: Terraform would refuse it too.

    Attributes:
        found: what stands there, in words: "a number", "2 blocks where one is meant".
        wanted: what was asked for.
    """

    found: str
    wanted: str

    @property
    def why(self) -> str:
        """A phrase for a message."""
        return f"{self.path} is {self.found}, not {self.wanted}"


def shorten(text: str, limit: int = 120) -> str:
    """The text, cut in the middle where it is longer than a message should quote."""
    if len(text) <= limit:
        return text
    half = (limit - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


def kind_of(value: Json) -> str:
    """A JSON value's type in a person's words."""
    match value:
        case bool():
            return "a boolean"
        case str():
            return "text"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case dict():
            return "a block"
        case _:
            return "null"
