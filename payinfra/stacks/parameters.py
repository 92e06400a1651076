"""What a region publishes in Parameter Store."""

from dataclasses import dataclass

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.ssm_parameter import SsmParameter

from payinfra.core.evacuation import NOT_EVACUATED
from payinfra.core.naming import Parameter
from payinfra.stacks.component import Scope, StackComponent
from payinfra.stacks.region_context import RegionContext

_DESCRIPTIONS = {
    Parameter.TABLE_NAME: "The payments table",
    Parameter.BUCKET_NAME: "The audit bucket of this region",
    Parameter.ENDPOINT: "URL that payments are POSTed to in this region",
    Parameter.API_KEY: "The API key",
}


@dataclass(frozen=True)
class ParametersProps:
    """The values. `api_key` is secret; `key_id` names the key that keeps it so."""

    place: RegionContext
    table_name: str
    bucket_name: str
    endpoint: str
    api_key: str
    key_id: str


@dataclass(frozen=True)
class CursorSecretProps:
    """What the function signs cursors of lists with. No client has it, as all have the API key.

    Attributes:
        key_id: the key that keeps it secret.
        value: the other region's secret; None to make one, once.
    """

    place: RegionContext
    key_id: str
    value: str | None


class CursorSecret(StackComponent):
    """The secret of a region, the same in both: a cursor of one goes on in the other.

    Attributes:
        value: the secret.
    """

    def __init__(self, scope: Scope, id_: str, *, props: CursorSecretProps) -> None:
        super().__init__(scope, id_)
        made_here = props.value is None
        parameter = SsmParameter(
            *self.at("parameter"),
            provider=props.place.provider,
            name=props.place.names.parameter(Parameter.CURSORS),
            description="What cursors of lists are signed with",
            type="SecureString",
            # Of Terraform's functions, the one with 122 random bits. It gives others at each plan: the
            # first are kept.
            value="${uuid()}" if made_here else props.value,
            key_id=props.key_id,
            lifecycle=TerraformResourceLifecycle(ignore_changes=["value"]) if made_here else None,
        )
        self.value = parameter.value


class EvacuationFlagParameter(StackComponent):
    """Where a region says that the other one is evacuated. Terraform makes it and leaves its value alone: no
    deployment ends an evacuation."""

    def __init__(self, scope: Scope, id_: str, *, place: RegionContext) -> None:
        super().__init__(scope, id_)
        SsmParameter(
            *self.at("parameter"),
            provider=place.provider,
            name=place.names.parameter(Parameter.EVACUATED),
            description="Says that the other region is evacuated; see payinfra evacuate",
            type="String",
            value=NOT_EVACUATED,
            lifecycle=TerraformResourceLifecycle(ignore_changes=["value"]),
        )


class Parameters(StackComponent):
    """The region's parameters."""

    def __init__(self, scope: Scope, id_: str, *, props: ParametersProps) -> None:
        super().__init__(scope, id_)
        plain = {
            Parameter.TABLE_NAME: props.table_name,
            Parameter.BUCKET_NAME: props.bucket_name,
            Parameter.ENDPOINT: props.endpoint,
        }
        for what, value in plain.items():
            self._parameter(props, what, type_="String", value=value, key_id=None)
        self._parameter(
            props, Parameter.API_KEY, type_="SecureString", value=props.api_key, key_id=props.key_id
        )

    def _parameter(
        self, props: ParametersProps, what: Parameter, *, type_: str, value: str, key_id: str | None
    ) -> None:
        SsmParameter(
            *self.at(what.value),
            provider=props.place.provider,
            name=props.place.names.parameter(what),
            description=_DESCRIPTIONS[what],
            type=type_,
            value=value,
            key_id=key_id,
        )
