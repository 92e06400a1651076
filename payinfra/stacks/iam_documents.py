"""IAM policy documents, as typed statements that become the JSON of a policy argument."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Condition = Mapping[str, Mapping[str, str | Sequence[str]]]


@dataclass(frozen=True)
class StatementProps:
    """One statement of a policy.

    Attributes:
        sid: what it is for, in letters and digits.
        actions: what it allows or denies.
        resources: the ARNs that it is about; "*" in a key's policy means that key.
        principal: who, in a policy that is attached to a resource or a role's trust: the kind ("AWS",
            "Service") and its values; "*" for everyone. None in a policy of an identity.
    """

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...] = ()
    principal: Mapping[str, str] | str | None = None
    condition: Condition = field(default_factory=dict)
    effect: str = "Allow"

    def render(self) -> dict[str, object]:
        """The statement as IAM writes it."""
        return {
            "Sid": self.sid,
            "Effect": self.effect,
            **({} if self.principal is None else {"Principal": self.principal}),
            "Action": list(self.actions),
            **({"Resource": list(self.resources)} if self.resources else {}),
            **({"Condition": self.condition} if self.condition else {}),
        }


def document(*statements: StatementProps) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": [one.render() for one in statements]})


def service_trust(service: str, condition: Condition) -> str:
    """The trust policy of a role that one AWS service takes on, for `condition`'s source only."""
    return document(
        StatementProps("Assume", ("sts:AssumeRole",), principal={"Service": service}, condition=condition)
    )


def tls_only(bucket_arn: str) -> str:
    """A bucket's policy that refuses requests without TLS."""
    return document(
        StatementProps(
            "TlsOnly",
            ("s3:*",),
            (bucket_arn, f"{bucket_arn}/*"),
            principal="*",
            condition={"Bool": {"aws:SecureTransport": "false"}},
            effect="Deny",
        )
    )


@dataclass(frozen=True)
class Copied:
    """A bucket at one end of a replication: its ARN, its key's ARN and its region."""

    bucket_arn: str
    key_arn: str
    region: str


def replication(source: Copied, destination: Copied) -> str:
    """What S3 asks of a replication role (S3 user guide, "Setting up permissions for live replication"
    and "Replicating encrypted objects")."""
    return document(
        StatementProps(
            "ReadBucket", ("s3:GetReplicationConfiguration", "s3:ListBucket"), (source.bucket_arn,)
        ),
        StatementProps(
            "ReadVersions",
            (
                "s3:GetObjectVersionForReplication",
                "s3:GetObjectVersionAcl",
                "s3:GetObjectVersionTagging",
                "s3:GetObjectRetention",
                "s3:GetObjectLegalHold",
            ),
            (f"{source.bucket_arn}/*",),
        ),
        StatementProps(
            "WriteCopies",
            ("s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"),
            (f"{destination.bucket_arn}/*",),
        ),
        _through_s3("DecryptAtSource", ("kms:Decrypt",), source),
        _through_s3("EncryptAtDestination", ("kms:Encrypt", "kms:GenerateDataKey"), destination),
    )


def _through_s3(sid: str, actions: tuple[str, ...], end: Copied) -> StatementProps:
    return StatementProps(
        sid,
        actions,
        (end.key_arn,),
        condition={"StringEquals": {"kms:ViaService": f"s3.{end.region}.amazonaws.com"}},
    )
