"""The API keys of an environment, in both regions. How far a rotation has come is read from their names.

Each step looks at what is there before it does anything, so that a run goes on where a killed one stopped.
Values are handed from call to call, and to nobody else.
"""

import secrets
import string
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

import httpx

from payinfra.clients.aws import Aws
from payinfra.clients.aws_errors import NotYet
from payinfra.clients.http import HttpResponse, HttpxHttp, make_client
from payinfra.clients.payments_api import PaymentsApi
from payinfra.clients.retry import Deadline
from payinfra.core.errors import EnvironmentUnusable, GateFailed
from payinfra.core.outputs import DeclaredRegion, Outputs, RegionOutputs
from payinfra.deployment.key_rotation.model import ClientKey, RegionKeys, Rotation

if TYPE_CHECKING:
    from mypy_boto3_apigateway import APIGatewayClient
    from mypy_boto3_apigateway.type_defs import ApiKeyTypeDef, UsagePlanTypeDef

DESCRIPTION = "Calls the payments API"
"""As the stack describes its key: Terraform must find nothing to change."""

VALUE_LENGTH = 40
"""As long as API Gateway makes them. It takes 20 to 128 characters (API Gateway developer guide, "Choose an
API key source")."""

ANSWERS_WITHIN_S = 10.0
ACCEPTED_WITHIN_S = 180.0
"""How long a new key may take until the API accepts it."""


def random_value() -> str:
    """A new API key's value: letters and digits, more than 230 bits."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(VALUE_LENGTH))


@dataclass(frozen=True)
class ApiKeys:
    """The API keys of an environment.

    Args:
        http: makes a client of the APIs, which is closed after use.
        value: makes a new key's value.
        sleep: waits so many seconds.
    """

    outputs: Outputs
    aws: Aws
    http: Callable[[], httpx.Client] = lambda: make_client(ANSWERS_WITHIN_S)
    value: Callable[[], str] = random_value
    sleep: Callable[[float], None] = time.sleep
    accepted_within_s: float = ACCEPTED_WITHIN_S

    def look(self) -> Rotation:
        """How far a rotation has come.

        Raises:
            EnvironmentUnusable: a region has two keys of one name, of which one is nobody's.
        """
        env = self.outputs.environment_suffix
        return Rotation(env, tuple(self._look(region) for region in self.outputs.regions))

    def make(self) -> Mapping[str, str]:
        """Have a new key in both regions, accepted by their APIs and published; region to id.

        Raises:
            GateFailed: an API did not accept the new key in time. The old one stays valid.
        """
        found = self.look()
        value = self._value_in_use(found) or self.value()
        keys = {each.region: self._made(each, value) for each in found.regions}
        for region in self.outputs.regions:
            self._join(region, keys[region.region])
        with self.http() as http:
            for region in self.outputs.regions:
                self._accepted(http, region, value)
        for region in self.outputs.regions:
            self._publish(region, value)
        return keys

    def hand_over(self) -> None:
        """Give the API key's name to the new key, and the former's to the one that had it."""
        names = self.outputs.names
        for each in self.look().regions:
            if each.following is None:
                continue
            if each.current is not None:
                self._rename(each.region, each.current, names.former_api_key)
            self._rename(each.region, each.following, names.api_key)

    def remove_former(self) -> Mapping[str, str]:
        """Remove the former keys; region to id. Their clients are refused from then on."""
        removed = {}
        for keys, region in zip(self.look().regions, self.outputs.regions, strict=True):
            if keys.former is not None:
                client = self._gateway(keys.region)
                if self._is_joined(region, keys.former.id):
                    client.delete_usage_plan_key(usagePlanId=self._plan_of(region), keyId=keys.former.id)
                client.delete_api_key(apiKey=keys.former.id)
                removed[keys.region] = keys.former.id
        return removed

    # -- one region ----------------------------------------------------------------------------------

    def _gateway(self, region: str) -> "APIGatewayClient":
        return self.aws.apigateway(region)

    def _look(self, region: RegionOutputs) -> RegionKeys:
        names = self.outputs.names
        found: dict[str, list[ClientKey]] = {}
        for one in api_keys(self._gateway(region.region), names.api_key):
            created = one.get("createdDate")
            key = ClientKey(one.get("id", ""), created.astimezone(UTC) if created else None)
            found.setdefault(one.get("name", ""), []).append(key)

        def only(name: str) -> ClientKey | None:
            keys = found.get(name, [])
            if len(keys) > 1:
                raise EnvironmentUnusable(
                    f"{region.region} has {len(keys)} API keys called {name}: "
                    f"{', '.join(sorted(key.id for key in keys))}.",
                    f"The API's own is {region.api_key_id}. Delete the others, unless clients use them: "
                    f"aws apigateway delete-api-key --region {region.region} --api-key ID",
                )
            return keys[0] if keys else None

        return RegionKeys(
            region.region, only(names.api_key), only(names.next_api_key), only(names.former_api_key)
        )

    def _value_in_use(self, found: Rotation) -> str | None:
        """The value that a rotation under way made before; None where there is none under way."""
        for each in found.regions:
            if each.taking_over is not None:
                return self._value_of(each.region, each.taking_over.id)
        return None

    def _made(self, keys: RegionKeys, value: str) -> str:
        """The id of the region's key that has this value, made if need be."""
        for key in (keys.taking_over, keys.current):
            if key is not None and self._value_of(keys.region, key.id) == value:
                return key.id
        made = self._gateway(keys.region).create_api_key(
            name=self.outputs.names.next_api_key,
            description=DESCRIPTION,
            enabled=True,
            value=value,
            tags=dict(self.outputs.declared.tags),
        )
        return made["id"]

    def _value_of(self, region: str, key_id: str) -> str:
        return self._gateway(region).get_api_key(apiKey=key_id, includeValue=True)["value"]

    def _join(self, region: RegionOutputs, key_id: str) -> None:
        if not self._is_joined(region, key_id):
            self._gateway(region.region).create_usage_plan_key(
                usagePlanId=self._plan_of(region), keyId=key_id, keyType="API_KEY"
            )

    def _is_joined(self, region: RegionOutputs, key_id: str) -> bool:
        return key_id in joined(self._gateway(region.region), self._plan_of(region))

    def _accepted(self, http: httpx.Client, region: RegionOutputs, value: str) -> None:
        """Wait until the region's API accepts a key: it takes its time to hear of new ones."""
        api = PaymentsApi(HttpxHttp(http), region.api_endpoint, value)
        nobodys = str(uuid.uuid4())  # a payment that nobody has made
        deadline = Deadline.within(self.accepted_within_s, sleep=self.sleep)
        try:
            deadline.poll(lambda: _require_accepted(api.get(nobodys)), first_pause_s=0.2, longest_pause_s=5.0)
        except (NotYet, httpx.TransportError) as error:
            raise GateFailed(
                f"{region.region} does not accept the new API key: {error}. The old one stays in use.",
                "Run the same command again: it goes on with the key that it made.",
            ) from None

    def _publish(self, region: RegionOutputs, value: str) -> None:
        client = self.aws.ssm(region.region)
        name = region.api_key_parameter
        if client.get_parameter(Name=name, WithDecryption=True)["Parameter"].get("Value") == value:
            return
        pages = client.get_paginator("describe_parameters")
        shown = pages.paginate(ParameterFilters=[{"Key": "Name", "Values": [name]}])
        listed = (one for page in shown for one in page["Parameters"])
        description = next((one.get("Description", "") for one in listed), "")
        client.put_parameter(
            Name=name,
            Description=description,
            Value=value,
            Type="SecureString",
            KeyId=self._declared(region).keys.application,
            Overwrite=True,
        )

    def _rename(self, region: str, key: ClientKey, name: str) -> None:
        self._gateway(region).update_api_key(
            apiKey=key.id, patchOperations=[{"op": "replace", "path": "/name", "value": name}]
        )

    def _plan_of(self, region: RegionOutputs) -> str:
        return self._declared(region).api.usage_plan_id

    def _declared(self, region: RegionOutputs) -> DeclaredRegion:
        return next(one for one in self.outputs.declared.regions if one.region == region.region)


def _require_accepted(answer: HttpResponse) -> None:
    """Raise NotYet unless an answer shows that the API accepts the key; what else it says does not matter."""
    if answer.status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise NotYet(f"it answers {answer.status}")
    if answer.status >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise NotYet(f"it answers {answer.status}, which says nothing of the key")


def api_keys(client: "APIGatewayClient", beginning: str) -> Iterator["ApiKeyTypeDef"]:
    """The API keys whose names begin so. Their values are not asked for."""
    for page in client.get_paginator("get_api_keys").paginate(nameQuery=beginning, includeValues=False):
        yield from page.get("items", ())


def joined(client: "APIGatewayClient", usage_plan: str) -> Iterator[str]:
    """The ids of the keys that a usage plan lets in."""
    for page in client.get_paginator("get_usage_plan_keys").paginate(usagePlanId=usage_plan):
        yield from (one.get("id", "") for one in page.get("items", ()))


def usage_plans(client: "APIGatewayClient", name: str) -> Iterator["UsagePlanTypeDef"]:
    """The usage plans of this name, of which there may be several."""
    for page in client.get_paginator("get_usage_plans").paginate():
        yield from (one for one in page.get("items", ()) if one.get("name") == name)
