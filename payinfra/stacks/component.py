"""Parts of the stack: what a construct is in CDKTF, without a node of its own in the tree."""

from typing import TypeAlias

from cdktf import TerraformStack

Scope: TypeAlias = "StackComponent | TerraformStack"


class StackComponent:
    """Resources that belong together. Their addresses begin with the part's path.

    cdktf gives what stands directly in a stack the id that it was made with, and what stands deeper its
    path and a hash. So a part puts its resources into the stack itself, under ids that are their path:
    `aws_s3_bucket.primary_audit_bucket` can be read in a plan, a finding and a waiver. The other way to
    such ids, a stack that allocates them in Python, took a fifth of the synthesis: cdktf would ask for
    each of them across the process boundary.
    """

    def __init__(self, scope: Scope, id_: str) -> None:
        self.stack, self.path = at(scope, id_)

    def at(self, id_: str) -> tuple[TerraformStack, str]:
        """The scope and the id of one of the part's resources."""
        return at(self, id_)


def at(scope: Scope, id_: str) -> tuple[TerraformStack, str]:
    """The stack, and the id in it, of what is called `id_` within `scope`."""
    name = id_.replace("-", "_")
    return (scope.stack, f"{scope.path}_{name}") if isinstance(scope, StackComponent) else (scope, name)
