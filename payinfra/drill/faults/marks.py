"""Marks what a drill changes: a tag on the resource itself says which drill, since when, and what was before.

The mark is there from before the first fault until the last one is rolled back. It is found without any file
of the drill's, on whatever machine, and tells what a declared value cannot: what was there before.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from payinfra.clients.aws import Endpoints
from payinfra.core.naming import HEALTH_METRICS_REGION
from payinfra.drill.faults.actions import ActionDescription, FaultAction, FaultClients, aws_cli

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY = "payinfra:drill:"
"""How the tag's key begins; the fault's name follows, so that a resource may bear the marks of several."""


class MarkedKind(StrEnum):
    """What can bear a mark, by the service that keeps its tags."""

    HEALTH_CHECK = "route53"
    FUNCTION = "lambda"
    TABLE = "dynamodb"


@dataclass(frozen=True)
class MarkedResource:
    """A resource that bears a mark: its id for a health check, its ARN for anything else."""

    kind: MarkedKind
    region: str
    id: str


@dataclass(frozen=True)
class ResourceMark:
    """What a mark says.

    Attributes:
        drill: its id.
        since: when the drill was prepared, in UTC.
        original: what was there before, as the fault writes it.
    """

    drill: str
    since: datetime
    original: str

    def __str__(self) -> str:
        """As a tag's value: letters, digits, spaces and `=:-.`, at most 256 characters, as AWS has it."""
        return f"drill={self.drill} since={self.since:%Y-%m-%dT%H:%M:%SZ} original={self.original}"

    @classmethod
    def read(cls, value: str) -> "ResourceMark | None":
        """The mark of a tag's value; None where it is none."""
        fields = dict(word.split("=", 1) for word in value.split() if "=" in word)
        try:
            since = datetime.strptime(fields["since"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
            return cls(fields["drill"], since, fields["original"])
        except (KeyError, ValueError):
            return None


@dataclass(frozen=True)
class MarkResource(FaultAction):
    """Tag a resource with the mark of a drill. It bore none before.

    Attributes:
        fault: the fault's name.
        resource: what bears the mark.
        drill, since, original: what the mark says; see `ResourceMark`.
    """

    fault: str
    resource: MarkedResource
    drill: str
    since: datetime
    original: str
    kind: ClassVar[str] = "mark-resource"

    @property
    def key(self) -> str:
        """The tag's key."""
        return f"{KEY}{self.fault}"

    @property
    def mark(self) -> ResourceMark:
        """What it says."""
        return ResourceMark(self.drill, self.since, self.original)

    def inject(self, clients: FaultClients) -> None:
        """Tag the resource."""
        _tag(clients, self.resource, self.key, str(self.mark))

    def rollback(self, clients: FaultClients) -> None:
        """Take the tag away."""
        _untag(clients, self.resource, self.key)

    def is_active(self, clients: FaultClients) -> bool:
        """Whether the resource bears a mark of this fault."""
        return self.key in tags_of(clients, self.resource)

    def describe(self, endpoints: Endpoints | None = None) -> ActionDescription:
        """See `FaultAction`."""
        where = f"{self.resource.id} bears"
        tag = f"tag {self.key} of {self.resource.id}: {self.mark}"
        return ActionDescription(
            f"{where} the mark of drill {self.drill} ({self.fault})",
            f"{where} no mark of a drill ({self.fault})",
            aws_cli(endpoints, self.resource.kind, self.resource.region, self._by_hand),
            (f"{_CALLS[self.resource.kind]} in {self.resource.region}: {tag}",),
        )

    @property
    def _by_hand(self) -> str:
        match self.resource.kind:
            case MarkedKind.HEALTH_CHECK:
                return (
                    f"route53 change-tags-for-resource --resource-type healthcheck "
                    f"--resource-id {self.resource.id} --remove-tag-keys {self.key}"
                )
            case MarkedKind.FUNCTION:
                return f"lambda untag-resource --resource {self.resource.id} --tag-keys {self.key}"
            case MarkedKind.TABLE:
                return f"dynamodb untag-resource --resource-arn {self.resource.id} --tag-keys {self.key}"


_CALLS = {
    MarkedKind.HEALTH_CHECK: "route53:ChangeTagsForResource",
    MarkedKind.FUNCTION: "lambda:TagResource",
    MarkedKind.TABLE: "dynamodb:TagResource",
}
PERMISSIONS: "Mapping[MarkedKind, tuple[str, ...]]" = {
    MarkedKind.HEALTH_CHECK: ("route53:ListTagsForResource", "route53:ChangeTagsForResource"),
    MarkedKind.FUNCTION: ("lambda:ListTags", "lambda:TagResource", "lambda:UntagResource"),
    MarkedKind.TABLE: ("dynamodb:ListTagsOfResource", "dynamodb:TagResource", "dynamodb:UntagResource"),
}
"""What it takes to set a mark, to find it and to take it away."""


def find(clients: FaultClients, fault: str, resource: MarkedResource) -> MarkResource | None:
    """The mark of a fault that a resource bears; None where it bears none.

    A tag of that key that says nothing is still a mark: its drill is unknown, and so is what was before.

    Raises:
        ClientError, BotoCoreError: the tags cannot be read.
    """
    value = tags_of(clients, resource).get(f"{KEY}{fault}")
    if value is None:
        return None
    mark = ResourceMark.read(value) or ResourceMark("unknown", datetime.fromtimestamp(0, UTC), "")
    return MarkResource(fault, resource, mark.drill, mark.since, mark.original)


def tags_of(clients: FaultClients, resource: MarkedResource) -> dict[str, str]:
    """A resource's tags.

    Raises:
        ClientError, BotoCoreError: they cannot be read.
    """
    match resource.kind:
        case MarkedKind.HEALTH_CHECK:
            client = clients.aws.route53(HEALTH_METRICS_REGION)
            answer = client.list_tags_for_resource(ResourceType="healthcheck", ResourceId=resource.id)
            return {one["Key"]: one.get("Value", "") for one in answer["ResourceTagSet"].get("Tags", ())}
        case MarkedKind.FUNCTION:
            return dict(
                clients.aws.functions(resource.region).list_tags(Resource=resource.id).get("Tags", {})
            )
        case MarkedKind.TABLE:
            table = clients.aws.dynamodb(resource.region)
            pages = table.get_paginator("list_tags_of_resource").paginate(ResourceArn=resource.id)
            return {one["Key"]: one["Value"] for page in pages for one in page.get("Tags", ())}


def _tag(clients: FaultClients, resource: MarkedResource, key: str, value: str) -> None:
    match resource.kind:
        case MarkedKind.HEALTH_CHECK:
            clients.aws.route53(HEALTH_METRICS_REGION).change_tags_for_resource(
                ResourceType="healthcheck", ResourceId=resource.id, AddTags=[{"Key": key, "Value": value}]
            )
        case MarkedKind.FUNCTION:
            clients.aws.functions(resource.region).tag_resource(Resource=resource.id, Tags={key: value})
        case MarkedKind.TABLE:
            clients.aws.dynamodb(resource.region).tag_resource(
                ResourceArn=resource.id, Tags=[{"Key": key, "Value": value}]
            )


def _untag(clients: FaultClients, resource: MarkedResource, key: str) -> None:
    match resource.kind:
        case MarkedKind.HEALTH_CHECK:
            clients.aws.route53(HEALTH_METRICS_REGION).change_tags_for_resource(
                ResourceType="healthcheck", ResourceId=resource.id, RemoveTagKeys=[key]
            )
        case MarkedKind.FUNCTION:
            clients.aws.functions(resource.region).untag_resource(Resource=resource.id, TagKeys=[key])
        case MarkedKind.TABLE:
            clients.aws.dynamodb(resource.region).untag_resource(ResourceArn=resource.id, TagKeys=[key])
