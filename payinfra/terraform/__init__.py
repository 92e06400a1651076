"""The only package that runs Terraform."""

from payinfra.terraform.binary import Binary, Kind, Version, find_binary
from payinfra.terraform.events import Diagnostic, OutputValue
from payinfra.terraform.failures import TerraformFailed
from payinfra.terraform.imports import Import
from payinfra.terraform.plan import (
    Change,
    ChangeAction,
    LostReplica,
    OutputChange,
    Plan,
    guard,
    losses,
)
from payinfra.terraform.process import Patience
from payinfra.terraform.runner import Terraform

__all__ = [
    "Binary",
    "Change",
    "ChangeAction",
    "Diagnostic",
    "Import",
    "Kind",
    "LostReplica",
    "OutputChange",
    "OutputValue",
    "Patience",
    "Plan",
    "Terraform",
    "TerraformFailed",
    "Version",
    "find_binary",
    "guard",
    "losses",
]
