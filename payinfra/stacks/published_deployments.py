"""What the deployment says of itself in both regions: each can be worked on while the other is gone."""

import json
from dataclasses import dataclass

from cdktf import TerraformLocal
from cdktf_cdktf_provider_aws.ssm_parameter import SsmParameter

from payinfra.core.naming import Parameter
from payinfra.core.outputs import Outputs
from payinfra.core.published import document
from payinfra.stacks.component import Scope, StackComponent
from payinfra.stacks.region_context import RegionContext

_LOCAL = "published_outputs"


@dataclass(frozen=True)
class PublishedDeploymentsProps:
    """What is published, and where."""

    outputs: Outputs
    places: tuple[RegionContext, RegionContext]


class PublishedDeployments(StackComponent):
    """One parameter in each region; `payinfra.core.published` says what is in it."""

    def __init__(self, scope: Scope, id_: str, *, props: PublishedDeploymentsProps) -> None:
        super().__init__(scope, id_)
        local = TerraformLocal(self.stack, _LOCAL, props.outputs.to_flat())
        local.override_logical_id(_LOCAL)
        packed = f"${{base64gzip(jsonencode(local.{_LOCAL}))}}"
        for role, place in zip(("primary", "secondary"), props.places, strict=True):
            SsmParameter(
                *self.at(role),
                provider=place.provider,
                name=place.names.parameter(Parameter.DEPLOYMENT),
                description="The last deployment, for commands that work without its folder",
                type="String",
                value=json.dumps(
                    document(place.names.env, place.region, props.outputs, packed), separators=(",", ":")
                ),
            )
