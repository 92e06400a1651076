"""How results can be written to stdout."""

from enum import StrEnum


class Format(StrEnum):
    """How results are written to stdout."""

    TABLE = "table"
    JSON = "json"


class FindingsFormat(StrEnum):
    """How findings are written to stdout."""

    TABLE = "table"
    JSON = "json"
    SARIF = "sarif"
    JUNIT = "junit"
    GITHUB = "github"
    MARKDOWN = "markdown"
