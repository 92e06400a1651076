"""Checks of what runs beside functions: databases and machines that strangers reach, disks in clear text."""

import ipaddress
from collections.abc import Iterator, Mapping

from payinfra.checks.manifest import (
    Block,
    Manifest,
    Missing,
    Resource,
    Unreadable,
    Unresolved,
    is_literal,
)
from payinfra.checks.model import Severity, Verdict, check
from payinfra.checks.policy.verdict_helpers import (
    flag_off,
    flag_on,
    nested,
    pass_unless,
    require_one_of,
    verdict_for_gap,
)

_DATABASES = (
    "aws_db_instance",
    "aws_dms_replication_instance",
    "aws_mq_broker",
    "aws_neptune_cluster_instance",
    "aws_rds_cluster_instance",
    "aws_redshift_cluster",
    "aws_redshiftserverless_workgroup",
)


@check(
    id="PI-NET-001",
    title="Databases and message brokers have no address on the internet",
    severity=Severity.CRITICAL,
    on=_DATABASES,
    risk="Whoever guesses a password, or knows a flaw of the engine, reads every payment from anywhere.",
    fix="Set publicly_accessible to false, and reach the database from inside the VPC.",
    controls=("AWS FSBP RDS.2",),
)
def database_is_private(database: Resource, _manifest: Manifest) -> tuple[Verdict, ...]:
    """What says nothing has none, but for Redshift, whose default has changed with the provider."""
    if database.type == "aws_redshift_cluster" and isinstance(database.flag("publicly_accessible"), Missing):
        return (Verdict.warn("it does not say whether it is publicly_accessible: older providers say yes"),)
    return pass_unless(flag_off(database, "publicly_accessible", "it has an address on the internet"))


_SENSITIVE_PORTS: Mapping[int, str] = {
    20: "FTP",
    21: "FTP",
    22: "SSH",
    23: "Telnet",
    135: "RPC",
    445: "SMB",
    1433: "SQL Server",
    1434: "SQL Server",
    1521: "Oracle",
    2375: "Docker",
    2376: "Docker",
    2379: "etcd",
    3306: "MySQL",
    3389: "RDP",
    5432: "PostgreSQL",
    5439: "Redshift",
    5900: "VNC",
    5984: "CouchDB",
    5985: "WinRM",
    5986: "WinRM",
    6379: "Redis",
    8182: "Neptune",
    9042: "Cassandra",
    9200: "OpenSearch",
    9300: "OpenSearch",
    10250: "kubelet",
    11211: "memcached",
    27017: "MongoDB",
}
"""Ports that nobody on the internet needs. Sources: AWS Security Hub, control EC2.19; the default ports of
databases and of remote administration in their own guides."""

_GROUPS = ("aws_default_security_group", "aws_security_group")
_RULE, _INGRESS = "aws_security_group_rule", "aws_vpc_security_group_ingress_rule"
_BROAD = 8
_BROAD_V6 = 16


@check(
    id="PI-NET-002",
    title="The internet reaches no port of administration or of a database",
    severity=Severity.HIGH,
    on=(*_GROUPS, _RULE, _INGRESS),
    risk="Every address on the internet tries passwords and flaws on it, day and night.",
    fix="Name the addresses that need it, or use Session Manager; open 443 only to everybody.",
    controls=("AWS FSBP EC2.19",),
)
def ports_are_closed(resource: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """By address ranges as broad as /8 of IPv4 or /16 of IPv6; rules between groups let no stranger in."""
    if resource.type in _GROUPS:
        rules = nested(resource, "ingress")
        if isinstance(rules, Unreadable):
            return (Verdict.unknown(rules.why),)
        return pass_unless(verdict for rule in rules for verdict in _rule(rule, "protocol", manifest))
    if resource.type == _INGRESS:
        return pass_unless(_rule(resource, "ip_protocol", manifest))
    kind = resource.text("type")
    if isinstance(kind, Unreadable):
        return (verdict_for_gap(kind, "it has no type"),)
    if kind != "ingress":
        return (Verdict.not_applicable("it lets out, not in"),)
    return pass_unless(_rule(resource, "protocol", manifest))


def _rule(rule: Block, protocol: str, manifest: Manifest) -> Iterator[Verdict]:
    ranges, gaps = _ranges(rule, manifest)
    open_to = next((one for one in ranges if _is_broad(one)), "")
    if not open_to and not gaps:
        return
    name = rule.text(protocol)
    name = name.lower() if isinstance(name, str) else name
    if name in ("-1", "all"):
        ports = range(65536)
    elif name in ("icmp", "icmpv6", "1", "58"):
        return
    else:
        match rule.number("from_port"), rule.number("to_port"):
            case (int() | float() as first, int() | float() as last) if isinstance(name, str):
                ports = range(int(first), int(last) + 1)
            case ends:
                gap = next(one for one in (name, *ends) if isinstance(one, Unreadable))
                yield verdict_for_gap(gap, f"it lets {open_to or 'somebody'} in and names no port")
                return
    exposed = [f"{port} ({service})" for port, service in _SENSITIVE_PORTS.items() if port in ports]
    if not exposed:
        return
    what = "every port" if len(ports) == 65536 else f"port {', '.join(exposed[:3])}"
    if open_to:
        yield Verdict.failed(f"it lets {open_to} reach {what}")
    else:
        yield Verdict.unknown(f"it lets somebody reach {what}: {gaps[0].why}")


def _ranges(rule: Block, manifest: Manifest) -> tuple[list[str], list[Unreadable]]:
    """The address ranges that a rule lets in, and those of which it is not known which they are."""
    found: list[str] = []
    gaps: list[Unreadable] = []
    for path in ("cidr_blocks", "ipv6_cidr_blocks"):
        texts = rule.texts(path)
        if not isinstance(texts, Unreadable):
            found += texts
            gaps += [Unresolved(path, text) for text in texts if _may_be_broad(text, manifest)]
        elif not isinstance(texts, Missing):
            gaps.append(texts)
    for path in ("cidr_ipv4", "cidr_ipv6"):
        text = rule.text(path)
        if isinstance(text, str):
            found.append(text)
        elif not isinstance(text, Missing):
            gaps.append(text)
    return found, gaps


def _may_be_broad(text: str, manifest: Manifest) -> bool:
    """Whether a range that is not known may be a large part of the internet.

    What a resource has is not, such as a VPC's range, nor is one whose size is known: `${var.office}/32`.
    """
    if is_literal(text) or manifest.references(text):
        return False
    size = text.rpartition("}/")[2]
    return not (size.isdigit() and int(size) > _BROAD_V6)


def _is_broad(text: str) -> bool:
    """Whether a range takes in a large part of the internet; private addresses are none of it."""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    least = _BROAD if network.version == 4 else _BROAD_V6
    return network.prefixlen <= least and not (network.is_private and network.prefixlen > 0)


@check(
    id="PI-NET-003",
    title="Machines hand out their credentials by version 2 of the metadata service only",
    severity=Severity.HIGH,
    on=("aws_instance", "aws_launch_configuration", "aws_launch_template"),
    risk="A server that can be made to fetch an address for a stranger hands out its role's credentials.",
    fix='Set http_tokens = "required" in metadata_options.',
    controls=("AWS FSBP EC2.8",),
)
def metadata_wants_a_token(machine: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """An instance takes over what its launch template says, and the account's default for its region."""
    if machine.text("metadata_options.http_endpoint") == "disabled":
        return (Verdict.passed(),)
    if machine.has("launch_template") and not machine.has("metadata_options"):
        return (Verdict.not_applicable("its launch template says it"),)
    if not machine.has("metadata_options.http_tokens") and any(
        one.text("http_tokens") == "required" for one in _defaults(_METADATA, machine, manifest)
    ):
        return (Verdict.passed("the account's default for the region asks for a token"),)
    return pass_unless(
        require_one_of(
            machine,
            "metadata_options.http_tokens",
            ("required",),
            "version 1 of the metadata service answers without a token",
        )
    )


_METADATA = "aws_ec2_instance_metadata_defaults"
_DISK_DEFAULT = "aws_ebs_encryption_by_default"


def _defaults(kind: str, resource: Resource, manifest: Manifest) -> Iterator[Resource]:
    """What the stack makes the account's default in a resource's region."""
    return (one for one in manifest.all(kind) if one.region == resource.region)


def _encrypts_disks(resource: Resource, manifest: Manifest) -> bool:
    """Whether the account encrypts each new disk of the region. Its resource does, unless it says no."""
    return any(
        one.flag("enabled") is True or not one.has("enabled")
        for one in _defaults(_DISK_DEFAULT, resource, manifest)
    )


_AT_REST: Mapping[str, str] = {
    "aws_dax_cluster": "server_side_encryption.enabled",
    "aws_db_instance": "storage_encrypted",
    "aws_docdb_cluster": "storage_encrypted",
    "aws_ebs_volume": "encrypted",
    "aws_efs_file_system": "encrypted",
    "aws_elasticache_replication_group": "at_rest_encryption_enabled",
    "aws_elasticsearch_domain": "encrypt_at_rest.enabled",
    "aws_kinesis_firehose_delivery_stream": "server_side_encryption.enabled",
    "aws_neptune_cluster": "storage_encrypted",
    "aws_opensearch_domain": "encrypt_at_rest.enabled",
    "aws_rds_cluster": "storage_encrypted",
    "aws_rds_global_cluster": "storage_encrypted",
    "aws_redshift_cluster": "encrypted",
}
_DISKS = ("ebs_block_device", "root_block_device")
_FROM_ELSEWHERE = ("replicate_source_db", "snapshot_identifier", "snapshot_id", "global_cluster_identifier")
_OF_A_TYPE = {
    "aws_kinesis_firehose_delivery_stream": ("kinesis_source_configuration", "msk_source_configuration"),
    "aws_rds_global_cluster": ("source_db_cluster_identifier",),
}
"""The same of types with properties of their own."""


@check(
    id="PI-NET-004",
    title="Databases, disks and streams are encrypted at rest",
    severity=Severity.HIGH,
    on=(*_AT_REST, "aws_instance", "aws_kinesis_stream", "aws_launch_template"),
    risk="A snapshot or a disk that somebody shares or loses is readable as it is.",
    fix="Set storage_encrypted, encrypted or encryption_type, with a customer key of the region.",
    controls=("AWS FSBP RDS.3",),
)
def storage_is_encrypted(resource: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """A copy of something takes the encryption of what it is made from."""
    if resource.type == "aws_kinesis_stream":
        return pass_unless(require_one_of(resource, "encryption_type", ("KMS",), "it is not encrypted"))
    if resource.type in ("aws_instance", "aws_launch_template"):
        return pass_unless(_disks(resource))
    flag = _AT_REST[resource.type]
    sources = _OF_A_TYPE.get(resource.type, _FROM_ELSEWHERE)
    if isinstance(resource.flag(flag), Missing) and any(map(resource.has, sources)):
        return (Verdict.not_applicable("what it is made from says it"),)
    if resource.text("engine_mode") == "serverless":
        return (Verdict.passed("AWS encrypts Aurora Serverless version 1 always"),)
    if isinstance(resource.flag(flag), Missing):
        if resource.type == "aws_redshift_cluster":
            return (Verdict.warn(f"it does not say whether it is {flag}: older providers say no"),)
        if resource.type == "aws_ebs_volume" and _encrypts_disks(resource, manifest):
            return (Verdict.passed("the account encrypts every new disk of the region"),)
    return pass_unless(flag_on(resource, flag, f"it is not encrypted ({flag})"))


def _disks(machine: Resource) -> Iterator[Verdict]:
    """Disks that say they are not encrypted; others follow the account's default."""
    for path in _DISKS if machine.type == "aws_instance" else ("block_device_mappings",):
        disks = nested(machine, path)
        if isinstance(disks, Unreadable):
            yield Verdict.unknown(disks.why)
            continue
        for disk in disks:
            where = "encrypted" if machine.type == "aws_instance" else "ebs.encrypted"
            match disk.flag(where):
                case False:
                    yield Verdict.failed(f"{disk.path} is not encrypted")
                case Unreadable() as gap if not isinstance(gap, Missing):
                    yield Verdict.unknown(gap.why)
                case _:
                    pass
