"""How results can be written to stdout."""

from enum import StrEnum


class Format(StrEnum):
    """How results are written to stdout."""

    TABLE = "table"
    JSON = "json"


class PlanFormat(StrEnum):
    """How a plan is written to stdout."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"


class CatalogueFormat(StrEnum):
    """How checks and probes are listed on stdout; Markdown is a page of documentation."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"


class VariablesFormat(StrEnum):
    """How variables are written to stdout."""

    SHELL = "shell"
    JSON = "json"


class FindingsFormat(StrEnum):
    """How findings are written to stdout."""

    TABLE = "table"
    JSON = "json"
    SARIF = "sarif"
    JUNIT = "junit"
    GITHUB = "github"
    MARKDOWN = "markdown"


class DrillFormat(StrEnum):
    """How a drill's report is written to stdout or a file."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"
    JUNIT = "junit"


FORMAT_VARIABLE = "PAYINFRA_FORMAT"
LOG_FORMAT_VARIABLE = "PAYINFRA_LOG_FORMAT"
"""Where the chosen one is, for child processes too."""


QUIET_VARIABLE = "PAYINFRA_QUIET"
"""Set where nothing is to be told but results, questions and errors; for child processes too."""


class LogFormat(StrEnum):
    """How the conversation on stderr is written."""

    TEXT = "text"
    JSON = "json"
