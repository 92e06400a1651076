"""The variables by which AWS's tools and SDKs find the embedded AWS and call it."""

from collections.abc import Mapping

from payinfra.core.access_key import AccessKey
from payinfra.core.errors import UsageProblem
from payinfra.local.endpoints import LocalEndpoints

OVERRIDING = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_REGION")
"""What a shell may have set that would be used beside or before the variables."""

_GLOBAL_SERVICES = ("IAM", "ROUTE_53", "STS")
"""As the variables name services (AWS SDKs and tools reference guide, "Service-specific endpoints")."""


def variables(endpoints: LocalEndpoints, key: AccessKey, region: str) -> Mapping[str, str]:
    """The variables for work in one region.

    Raises:
        UsageProblem: the region is not served.
    """
    url = endpoints.regions.get(region)
    if url is None:
        raise UsageProblem(
            f"The embedded AWS does not serve the region {region!r}.",
            f"It serves {', '.join(sorted(endpoints.regions))}.",
        )
    return {
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        "AWS_DEFAULT_REGION": region,
        "AWS_ENDPOINT_URL": url,
        **{f"AWS_ENDPOINT_URL_{service}": endpoints.global_url for service in _GLOBAL_SERVICES},
    }
