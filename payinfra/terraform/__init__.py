"""The only package that runs Terraform."""

from payinfra.terraform.binary import Binary, Engine, EngineVersion, find_binary
from payinfra.terraform.creations import Creation
from payinfra.terraform.events import Diagnostic, OutputValue
from payinfra.terraform.failures import TerraformFailed
from payinfra.terraform.imports import Import
from payinfra.terraform.plan import (
    AttributeChange,
    ChangeAction,
    LostReplica,
    OutputChange,
    Plan,
    PlannedCosts,
    ResourceChange,
    ReviewedChange,
    guard,
    losses,
    protected_against_deletion,
)
from payinfra.terraform.planned import PlannedChange
from payinfra.terraform.process import StopTimeouts
from payinfra.terraform.runner import Terraform
from payinfra.terraform.state import Kept

__all__ = [
    "AttributeChange",
    "Binary",
    "ChangeAction",
    "Creation",
    "Diagnostic",
    "Engine",
    "EngineVersion",
    "Import",
    "Kept",
    "LostReplica",
    "OutputChange",
    "OutputValue",
    "Plan",
    "PlannedChange",
    "PlannedCosts",
    "ResourceChange",
    "ReviewedChange",
    "StopTimeouts",
    "Terraform",
    "TerraformFailed",
    "find_binary",
    "guard",
    "losses",
    "protected_against_deletion",
]
