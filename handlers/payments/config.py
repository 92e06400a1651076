"""What the function is told through its environment."""

from collections.abc import Mapping
from dataclasses import dataclass

SERVICE = "payments"
NAMESPACE = "Payments"
LOG_LEVEL = "INFO"


@dataclass(frozen=True, slots=True)
class Config:
    """The function's settings.

    Attributes:
        cursor_secret_parameter: name of the SSM parameter that holds what cursors are signed with.
        evacuated_parameter: name of the SSM parameter that says whether the other region is evacuated.
        peer_region: the other region.
        keep_source_ip: whether the addresses that payments come from are kept with them.
        spread_statuses: whether payments are recorded in the shards of their status, or all in one partition
            of the index as earlier versions did. Both are read in any case.
        primary_region: the region that clients are sent to unless they were moved; empty where not known.
        failover_domain: the name by which they are; empty where requests do not carry it.
        fail_back: "manual" if the failover name has to stay in the region that it has moved to; otherwise it
            returns by itself.
        failover_name: the failover name, which the fail-back rule watches.
        failover_zone: the name's zone, if its parent delegates it; else empty.
        name_servers: those of the zone, if nobody delegates it.
        peer_endpoint: where the other region's Parameter Store answers; empty for AWS's own endpoint.
        cors_origins: the origins whose pages may call the API; none by default.
    """

    table: str
    audit_bucket: str
    audit_key_arn: str
    cursor_secret_parameter: str
    evacuated_parameter: str
    peer_region: str
    environment: str
    region: str
    service: str = SERVICE
    metrics_namespace: str = NAMESPACE
    log_level: str = LOG_LEVEL
    cors_origins: tuple[str, ...] = ()
    keep_source_ip: bool = False
    spread_statuses: bool = True
    primary_region: str = ""
    failover_domain: str = ""
    fail_back: str = ""
    failover_name: str = ""
    failover_zone: str = ""
    name_servers: tuple[str, ...] = ()
    peer_endpoint: str = ""

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Config":
        """The settings in `environment`.

        Raises:
            KeyError: a variable without default is missing; its name is the key.
        """
        primary, _, secondary = environment.get("REGION_ENDPOINTS", "").partition(",")
        primary_region = environment.get("PRIMARY_REGION", "")
        origins = (origin.strip() for origin in environment.get("CORS_ORIGINS", "").split(","))
        return cls(
            table=environment["TABLE_NAME"],
            audit_bucket=environment["AUDIT_BUCKET"],
            audit_key_arn=environment["AUDIT_KEY_ARN"],
            cursor_secret_parameter=environment["CURSOR_SECRET_PARAMETER"],
            evacuated_parameter=environment["EVACUATED_PARAMETER"],
            peer_region=environment["PEER_REGION"],
            environment=environment["ENVIRONMENT"],
            region=environment["AWS_REGION"],
            service=environment.get("POWERTOOLS_SERVICE_NAME", SERVICE),
            metrics_namespace=environment.get("POWERTOOLS_METRICS_NAMESPACE", NAMESPACE),
            log_level=environment.get("LOG_LEVEL", LOG_LEVEL),
            cors_origins=tuple(origin for origin in origins if origin),
            keep_source_ip=environment.get("KEEP_SOURCE_IP") == "true",
            spread_statuses=environment.get("SPREAD_STATUSES") != "false",
            primary_region=primary_region,
            failover_domain=environment.get("FAILOVER_DOMAIN", ""),
            fail_back=environment.get("FAIL_BACK", ""),
            failover_name=environment.get("FAILOVER_NAME", ""),
            failover_zone=environment.get("FAILOVER_ZONE", ""),
            name_servers=tuple(one for one in environment.get("NAME_SERVERS", "").split(",") if one),
            peer_endpoint=secondary if environment["AWS_REGION"] == primary_region else primary,
        )
