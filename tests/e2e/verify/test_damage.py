"""One kind of damage at a time: `verify` names exactly the probe of it, and what follows from it."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from payinfra.aws import Aws, Endpoints
from payinfra.checks.outcome import Outcome
from payinfra.checks.probes.results import ProbeResult, VerifyRequest
from payinfra.checks.probes.verify import verify
from payinfra.checks.verdicts import Kind
from payinfra.local.faults import RegionBlackout, ReplicationPause
from payinfra.naming import STATUS_INDEX
from payinfra.outputs import DeclaredRegion, Outputs

if TYPE_CHECKING:
    from tests.e2e.conftest import Deployment

PAYING = ("LIVE-API-004", "LIVE-LOG-002")
"""What needs a payment that gets through in the region."""
RINGING = ("LIVE-CW-002", "LIVE-CW-003")
"""An alarm that other tests rang is quiet again only after its period: it is allowed for everywhere."""
ROLE = "secondary"
DEADLINE_S = 8.0


@dataclass(frozen=True)
class Broken:
    """The deployment, and its secondary region as an operator reaches it."""

    deployment: "Deployment"

    @property
    def outputs(self) -> Outputs:
        return Outputs.from_flat(self.deployment.outputs)

    @property
    def declared(self) -> DeclaredRegion:
        return self.outputs.declared.regions[1]

    def client(self, service: str) -> Any:
        return self.deployment.client(service, ROLE)

    def out(self, name: str) -> str:
        return self.deployment.output(name, ROLE)

    def verify(self, deadline_s: float = DEADLINE_S) -> Outcome:
        found = self.deployment.endpoints
        aws = Aws(Endpoints(found.regions, found.global_url, found.dns))
        return verify(self.outputs, aws, VerifyRequest(deadline_s=deadline_s))


Damage = Callable[[Broken], Iterator[None]]
CASES: dict[str, tuple[Damage, tuple[str, ...]]] = {}


def damages(id: str, *follows: str) -> Callable[[Damage], Damage]:
    """The probe that a kind of damage breaks, and those that break with it."""

    def keep(damage: Damage) -> Damage:
        CASES[id] = (damage, follows)
        return damage

    return keep


@damages("LIVE-API-001")
def tracing_off(at: Broken) -> Iterator[None]:
    api = at.declared.api

    def set_to(value: str) -> None:
        operation = {"op": "replace", "path": "/tracingEnabled", "value": value}
        at.client("apigateway").update_stage(
            restApiId=api.id, stageName=api.stage, patchOperations=[operation]
        )

    set_to("false")
    yield
    set_to("true")


@damages("LIVE-API-005", *PAYING)
def usage_plan_key_removed(at: Broken) -> Iterator[None]:
    plan, key, client = at.declared.api.usage_plan_id, at.out("api_key_id"), at.client("apigateway")
    client.delete_usage_plan_key(usagePlanId=plan, keyId=key)
    yield
    client.create_usage_plan_key(usagePlanId=plan, keyId=key, keyType="API_KEY")


@damages("LIVE-API-006", *PAYING)
def api_key_disabled(at: Broken) -> Iterator[None]:
    def set_to(value: str) -> None:
        operation = {"op": "replace", "path": "/enabled", "value": value}
        at.client("apigateway").update_api_key(apiKey=at.out("api_key_id"), patchOperations=[operation])

    set_to("false")
    yield
    set_to("true")


def other_version(at: Broken, change: Callable[[], object], back: Callable[[], object]) -> Iterator[None]:
    """The API calls a version of the function that has the change."""
    client, name, alias = at.client("lambda"), at.declared.function.name, at.declared.function.alias
    before = client.get_alias(FunctionName=name, Name=alias)["FunctionVersion"]
    change()
    version = client.publish_version(FunctionName=name)["Version"]
    client.update_alias(FunctionName=name, Name=alias, FunctionVersion=version)
    yield
    client.update_alias(FunctionName=name, Name=alias, FunctionVersion=before)
    back()
    client.delete_function(FunctionName=name, Qualifier=version)


def other_configuration(at: Broken, **changed: object) -> Iterator[None]:
    client, name = at.client("lambda"), at.declared.function.name
    found = client.get_function_configuration(FunctionName=name)

    def configure(**fields: object) -> None:
        client.update_function_configuration(FunctionName=name, **fields)

    return other_version(
        at, lambda: configure(**changed), lambda: configure(**{field: found[field] for field in changed})
    )


# A new version starts cold, which the health page may feel.
COLD = "LIVE-API-002"


@damages("LIVE-FN-001", COLD, *PAYING)
def less_memory(at: Broken) -> Iterator[None]:
    return other_configuration(at, MemorySize=256)


@damages("LIVE-LOG-002", COLD, *PAYING)
def nothing_is_logged(at: Broken) -> Iterator[None]:
    found = at.client("lambda").get_function_configuration(FunctionName=at.declared.function.name)
    variables = found["Environment"]["Variables"]
    return other_configuration(at, Environment={"Variables": {**variables, "LOG_LEVEL": "CRITICAL"}})


@damages("LIVE-API-002", "LIVE-FN-001", "LIVE-R53-002", "LIVE-R53-006", *RINGING, *PAYING)
def no_handler(at: Broken) -> Iterator[None]:
    return other_configuration(at, Handler="payments.handler.nothing")


@damages("LIVE-FN-003", COLD, *PAYING)
def other_code(at: Broken) -> Iterator[None]:
    """The same files in a zip with a comment: it does the same, and is not what was deployed."""
    client, name = at.client("lambda"), at.declared.function.name
    work = at.deployment.project.folder / ".payinfra" / "local" / at.deployment.env
    (deployed,) = work.glob("synth/stacks/*/payments.zip")
    changed = io.BytesIO(deployed.read_bytes())
    with zipfile.ZipFile(changed, "a") as archive:
        archive.comment = b"changed"

    def ship(content: bytes) -> None:
        client.update_function_code(FunctionName=name, ZipFile=content)

    return other_version(at, lambda: ship(changed.getvalue()), lambda: ship(deployed.read_bytes()))


@damages("LIVE-DDB-002")
def another_table_key(at: Broken) -> Iterator[None]:
    def set_to(key: str) -> None:
        at.client("dynamodb").update_table(
            TableName=at.out("dynamodb_table_name"),
            SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key},
        )

    set_to(at.declared.keys.application)
    yield
    set_to(at.declared.keys.data)


@damages("LIVE-DDB-004")
def index_deleted(at: Broken) -> Iterator[None]:
    client, table = at.client("dynamodb"), at.out("dynamodb_table_name")
    found = client.describe_table(TableName=table)["Table"]
    (status,) = (one for one in found["GlobalSecondaryIndexes"] if one["IndexName"] == STATUS_INDEX)

    def update(change: dict[str, Any]) -> None:
        client.update_table(
            TableName=table,
            AttributeDefinitions=found["AttributeDefinitions"],
            GlobalSecondaryIndexUpdates=[change],
        )

    update({"Delete": {"IndexName": STATUS_INDEX}})
    yield
    update({"Create": {part: status[part] for part in ("IndexName", "KeySchema", "Projection")}})


@damages("LIVE-DDB-003")
def recovery_off(at: Broken) -> Iterator[None]:
    def set_to(value: bool) -> None:
        at.client("dynamodb").update_continuous_backups(
            TableName=at.out("dynamodb_table_name"),
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": value},
        )

    set_to(False)
    yield
    set_to(True)


@damages("LIVE-DDB-005")
def deletion_protection_on(at: Broken) -> Iterator[None]:
    client, table = at.deployment.client("dynamodb", "primary"), at.out("dynamodb_table_name")
    client.update_table(TableName=table, DeletionProtectionEnabled=True)
    yield
    client.update_table(TableName=table, DeletionProtectionEnabled=False)


@damages("LIVE-DDB-006")
def replication_paused(at: Broken) -> Iterator[None]:
    at.deployment.control.inject(ReplicationPause())
    yield
    at.deployment.control.clear()


def record_changed(at: Broken, output: str, identifier: str, **changed: object) -> Iterator[None]:
    client, zone = at.client("route53"), at.deployment.outputs["hosted_zone_id"]
    name = at.deployment.outputs[output]
    found = client.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    (before,) = (one for one in found if one["Name"] == f"{name}." and one.get("SetIdentifier") == identifier)

    def set_to(record: dict[str, Any]) -> None:
        change = {"Action": "UPSERT", "ResourceRecordSet": record}
        client.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [change]})

    set_to({**before, **changed})
    yield
    set_to(before)


@damages("LIVE-R53-003")
def record_kept_longer(at: Broken) -> Iterator[None]:
    return record_changed(at, "latency_domain", at.deployment.region(ROLE), TTL=59)


@damages("LIVE-R53-004", "LIVE-R53-003")
def failover_name_leads_to_the_secondary(at: Broken) -> Iterator[None]:
    dns, host = at.outputs.declared.dns, at.declared.api.execute_host
    records = [{"Value": host}]
    return record_changed(at, "failover_domain", dns.set_identifiers[0], ResourceRecords=records)


@damages("LIVE-R53-006", "LIVE-R53-003", "LIVE-R53-004")
def failover_name_leads_nowhere(at: Broken) -> Iterator[None]:
    dns, region = at.outputs.declared.dns, at.deployment.region(ROLE)
    records = [{"Value": f"nothing123.execute-api.{region}.amazonaws.com"}]
    return record_changed(at, "failover_domain", dns.set_identifiers[0], ResourceRecords=records)


@damages("LIVE-S3-001", "LIVE-S3-007")
def versioning_suspended(at: Broken) -> Iterator[None]:
    def set_to(status: str) -> None:
        at.client("s3").put_bucket_versioning(
            Bucket=at.out("s3_bucket_name"), VersioningConfiguration={"Status": status}
        )

    set_to("Suspended")
    yield
    set_to("Enabled")


@damages("LIVE-S3-002")
def another_encryption(at: Broken) -> Iterator[None]:
    client, bucket = at.client("s3"), at.out("s3_bucket_name")
    before = client.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
    client.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=rules)
    yield
    client.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=before)


@damages("LIVE-S3-003")
def public_access_block_removed(at: Broken) -> Iterator[None]:
    client, bucket = at.client("s3"), at.out("s3_bucket_name")
    before = client.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    client.delete_public_access_block(Bucket=bucket)
    yield
    client.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=before)


@damages("LIVE-S3-004")
def policy_removed(at: Broken) -> Iterator[None]:
    client, bucket = at.client("s3"), at.out("s3_bucket_name")
    before = client.get_bucket_policy(Bucket=bucket)["Policy"]
    client.delete_bucket_policy(Bucket=bucket)
    yield
    client.put_bucket_policy(Bucket=bucket, Policy=before)


@damages("LIVE-S3-006", "LIVE-S3-007")
def copying_disabled(at: Broken) -> Iterator[None]:
    client, bucket = at.client("s3"), at.out("s3_bucket_name")
    before = client.get_bucket_replication(Bucket=bucket)["ReplicationConfiguration"]
    disabled = {**before, "Rules": [{**before["Rules"][0], "Status": "Disabled"}]}
    client.put_bucket_replication(Bucket=bucket, ReplicationConfiguration=disabled)
    yield
    client.put_bucket_replication(Bucket=bucket, ReplicationConfiguration=before)


@damages("LIVE-CW-001")
def alarm_action_disabled(at: Broken) -> Iterator[None]:
    name = at.declared.alarms[0].name
    at.client("cloudwatch").disable_alarm_actions(AlarmNames=[name])
    yield
    at.client("cloudwatch").enable_alarm_actions(AlarmNames=[name])


@damages("LIVE-CW-004")
def dashboard_deleted(at: Broken) -> Iterator[None]:
    client, name = at.client("cloudwatch"), at.declared.dashboard
    before = client.get_dashboard(DashboardName=name)["DashboardBody"]
    client.delete_dashboards(DashboardNames=[name])
    yield
    client.put_dashboard(DashboardName=name, DashboardBody=before)


@damages("LIVE-LOG-001")
def logs_kept_shorter(at: Broken) -> Iterator[None]:
    client, group = at.client("logs"), at.declared.log_groups.access
    client.put_retention_policy(logGroupName=group, retentionInDays=1)
    yield
    days = at.outputs.declared.retention.logs
    client.put_retention_policy(logGroupName=group, retentionInDays=days)


@damages("LIVE-LOG-003")
def metric_filter_deleted(at: Broken) -> Iterator[None]:
    client, group, name = (
        at.client("logs"),
        at.out("lambda_log_group_name"),
        at.declared.metric_filters[0],
    )
    found = client.describe_metric_filters(logGroupName=group)["metricFilters"]
    before = next(one for one in found if one["filterName"] == name)
    client.delete_metric_filter(logGroupName=group, filterName=name)
    yield
    kept = ("filterName", "filterPattern", "metricTransformations")
    client.put_metric_filter(logGroupName=group, **{field: before[field] for field in kept})


def statement(effect: str, action: str, resource: str) -> str:
    allow = {"Effect": effect, "Action": action, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [allow]})


def extra_policy(at: Broken, document: str) -> Iterator[None]:
    client, role = at.client("iam"), at.declared.function.role_name
    client.put_role_policy(RoleName=role, PolicyName="damage", PolicyDocument=document)
    yield
    client.delete_role_policy(RoleName=role, PolicyName="damage")


@damages("LIVE-IAM-001")
def a_permission_denied(at: Broken) -> Iterator[None]:
    index = f"{at.out('dynamodb_table_arn')}/index/*"
    yield from extra_policy(at, statement("Deny", "dynamodb:Query", index))


@damages("LIVE-IAM-002")
def a_permission_too_much(at: Broken) -> Iterator[None]:
    yield from extra_policy(at, statement("Allow", "dynamodb:DeleteItem", "*"))


@damages("LIVE-KMS-002")
def rotation_off(at: Broken) -> Iterator[None]:
    at.client("kms").disable_key_rotation(KeyId=at.declared.keys.data)
    yield
    at.client("kms").enable_key_rotation(KeyId=at.declared.keys.data)


@damages("LIVE-KMS-001", "LIVE-KMS-003", "LIVE-S3-007")
def key_disabled(at: Broken) -> Iterator[None]:
    at.client("kms").disable_key(KeyId=at.declared.keys.audit)
    yield
    at.client("kms").enable_key(KeyId=at.declared.keys.audit)


def parameter_changed(at: Broken, name: str) -> Iterator[None]:
    client = at.client("ssm")
    before = client.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
    filters = [{"Key": "Name", "Option": "Equals", "Values": [name]}]
    kind = client.describe_parameters(ParameterFilters=filters)["Parameters"][0]
    # Without its key named again, a SecureString would go over to AWS's own.
    same = {part: kind[part] for part in ("Type", "KeyId") if kind.get(part)}
    client.put_parameter(Name=name, Value="something else", Overwrite=True, **same)
    yield
    client.put_parameter(Name=name, Value=before, Overwrite=True, **same)


@damages("LIVE-SSM-001")
def endpoint_changed(at: Broken) -> Iterator[None]:
    yield from parameter_changed(at, at.declared.parameters.endpoint)


@damages("LIVE-SSM-002", *PAYING)
def key_parameter_changed(at: Broken) -> Iterator[None]:
    yield from parameter_changed(at, at.declared.parameters.api_key)


@damages("LIVE-SNS-001")
def topic_without_key(at: Broken) -> Iterator[None]:
    def set_to(key: str) -> None:
        at.client("sns").set_topic_attributes(
            TopicArn=at.out("sns_topic_arn"), AttributeName="KmsMasterKeyId", AttributeValue=key
        )

    set_to("")
    yield
    set_to(at.declared.keys.audit)


@damages("LIVE-R53-001", "LIVE-R53-002", *RINGING)
def health_check_inverted(at: Broken) -> Iterator[None]:
    client, id = at.client("route53"), at.out("health_check_id")
    client.update_health_check(HealthCheckId=id, Inverted=True)
    yield
    client.update_health_check(HealthCheckId=id, Inverted=False)


@damages("LIVE-FN-002", "LIVE-API-002", "LIVE-R53-002", *RINGING, *PAYING)
def no_concurrency(at: Broken) -> Iterator[None]:
    client, name = at.client("lambda"), at.declared.function.name
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    yield
    client.delete_function_concurrency(FunctionName=name)


def named(outcome: Outcome) -> set[str]:
    return {finding.id for finding in outcome.findings}


@contextmanager
def broken(damage: Damage, at: Broken) -> Iterator[None]:
    steps = damage(at)
    next(steps)
    try:
        yield
    finally:
        for _ in steps:
            raise AssertionError("a damage is done once")


@pytest.fixture(scope="module")
def at(deployment: "Deployment") -> Broken:
    found = Broken(deployment)
    assert named(found.verify(60)) <= set(RINGING)
    return found


@pytest.mark.parametrize("id", CASES)
def test_a_damage_is_named_and_nothing_else_is(at: Broken, id: str) -> None:
    damage, follows = CASES[id]
    with broken(damage, at):
        found = named(at.verify())
    assert id in found
    assert found <= {id, *follows, *RINGING}


def test_a_region_that_answers_nothing_hides_nothing_of_the_other(at: Broken) -> None:
    dark, lit = at.deployment.region(ROLE), at.deployment.region("primary")
    results: list[ProbeResult] = []
    at.deployment.control.inject(RegionBlackout(dark))
    try:
        found = at.deployment.endpoints
        aws = Aws(Endpoints(found.regions, found.global_url, found.dns))
        verify(at.outputs, aws, VerifyRequest(deadline_s=4.0, tell=results.append))
    finally:
        at.deployment.control.clear()
    assert all(result.seconds < 4.5 for result in results)
    wrong = {
        (result.where, result.rule.id)
        for result in results
        if any(verdict.kind not in (Kind.PASS, Kind.NOT_APPLICABLE) for verdict in result.verdicts)
    }
    global_ = {"LIVE-R53-001", "LIVE-R53-002", "LIVE-IAM-001", "LIVE-IAM-002"}
    regional = {result.rule.id for result in results if result.where == dark}
    quiet = {"LIVE-API-007", "LIVE-API-008", "LIVE-S3-005", "LIVE-SNS-002", "LIVE-TLS-001"}
    assert regional - global_ - quiet <= {id for where, id in wrong if where == dark}
    assert {id for where, id in wrong if where == lit} <= {"LIVE-DDB-006", "LIVE-S3-007", *RINGING}


def test_all_is_well_again(at: Broken) -> None:
    assert named(at.verify(60)) <= set(RINGING)
