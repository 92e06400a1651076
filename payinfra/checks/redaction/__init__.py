"""What of a stack may be a secret, and how findings are kept free of it.

Whatever a check says passes through `Redactor.clean` before it becomes a finding, so that no format, log or
comment can hold a value that is a secret by its attribute, by its name or by its look.
"""

from payinfra.checks.redaction.redactor import HIDDEN, Redactor

__all__ = ["HIDDEN", "Redactor"]
