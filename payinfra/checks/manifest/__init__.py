"""Reads Terraform's JSON: `Manifest.load`, resources with accessors that never raise, policies as statements.

    for bucket in manifest.all("aws_s3_bucket"):
        match bucket.text("bucket"):
            case str(name): ...
            case Absent(): ...
            case Gap() as gap: yield Verdict.unknown(gap.why, bucket.address)

A Gap (Absent, Unresolved, WrongType) is what an accessor gives instead of a value. Unresolved is not Absent.
"""

from payinfra.checks.manifest.blocks import Block
from payinfra.checks.manifest.configuration import Given
from payinfra.checks.manifest.json_value import Json, parsed, texts_in
from payinfra.checks.manifest.manifest import EPHEMERAL, Attached, Manifest, Output, Provider, Resource
from payinfra.checks.manifest.policies import Condition, PolicyDocument, Principal, Statement
from payinfra.checks.manifest.templates import SPAN, Reference, is_literal, references_in
from payinfra.checks.manifest.values import Missing, Unreadable, Unresolved, WrongType

__all__ = [
    "EPHEMERAL",
    "SPAN",
    "Attached",
    "Block",
    "Condition",
    "Given",
    "Json",
    "Manifest",
    "Missing",
    "Output",
    "PolicyDocument",
    "Principal",
    "Provider",
    "Reference",
    "Resource",
    "Statement",
    "Unreadable",
    "Unresolved",
    "WrongType",
    "is_literal",
    "parsed",
    "references_in",
    "texts_in",
]
