"""Kinds of damage, each done and undone by calls that anybody with the right may make.

A new probe comes with one here, or with why the embedded AWS cannot have it (`CANNOT`).
"""

import io
import json
import re
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from payinfra.checks.outcome import Outcome
from payinfra.checks.probes.results import Tell, VerifyRequest, tell_nobody
from payinfra.checks.probes.verify import verify
from payinfra.checks.verdicts import Kind
from payinfra.clients import canary
from payinfra.clients.aws import Aws
from payinfra.clients.http import HttpxHttp, make_client
from payinfra.clients.payments_api import PaymentsApi, read_api_key
from payinfra.core.naming import STATUS_INDEX, Names, Parameter, canary_domain, tags
from payinfra.core.outputs import Declared, DeclaredRegion, Outputs
from payinfra.local.faults import ReplicationPause
from tests.support.embedded import endpoints_of

if TYPE_CHECKING:
    from tests.e2e.conftest import Deployment

PAYING = ("LIVE-API-004", "LIVE-LOG-002", "LIVE-S3-008")
"""What needs a payment that gets through in the region."""
RINGING = ("LIVE-CW-002", "LIVE-CW-003")
"""An alarm that other tests rang is quiet again only after its period: it is allowed for everywhere."""
ROLE = "secondary"
DEADLINE_S = 5.0
"""What is damaged is asked for until then: each case takes as long."""
PATIENT_S = 40.0
"""What nothing is the matter with has so long to show it, on a machine that may be busy."""
NOTICED_WITHIN_S = 30.0
DOMAINS_HURRY = 100.0


@dataclass(frozen=True)
class Broken:
    """The deployment, and its secondary region as an operator reaches it.

    Attributes:
        told: the outputs to verify by, where they are not the deployment's own.
        role_arn: the role to verify as; empty for the account's root.
        only: the probes to run, where others would stumble over what was told.
    """

    deployment: "Deployment"
    told: Outputs | None = None
    role_arn: str | None = None
    only: tuple[str, ...] = ()

    @property
    def outputs(self) -> Outputs:
        return self.told or Outputs.from_flat(self.deployment.outputs)

    @property
    def declared(self) -> DeclaredRegion:
        return self.outputs.declared.regions[1]

    def client(self, service: str, role: str = ROLE) -> Any:
        return self.deployment.client(service, role)

    def out(self, name: str) -> str:
        return self.deployment.output(name, ROLE)

    def declaring(self, **changed: Any) -> "Broken":
        """The same, verified as though this had been declared when it was deployed."""
        declared = replace(self.outputs.declared, **changed)
        return replace(self, told=replace(self.outputs, declared_json=declared.to_json()))

    def verify(self, deadline_s: float = DEADLINE_S, tell: Tell = tell_nobody) -> Outcome:
        aws = Aws(endpoints_of(self.deployment.project.server), role_arn=self.role_arn)
        return verify(self.outputs, aws, VerifyRequest(only=self.only, deadline_s=deadline_s, tell=tell))

    def until_checkers_are(self, *, healthy: bool) -> None:
        """Wait, in a hurry, until all of Route 53's checkers find the region healthy, or none does."""
        client, check = self.deployment.patient_client("route53"), self.out("health_check_id")

        def all_are() -> bool:
            # One call a second is answered, of verify's and the drill's too (Route 53, "Quotas").
            found = client.get_health_check_status(HealthCheckId=check)["HealthCheckObservations"]
            said = [one["StatusReport"]["Status"].startswith("Success") for one in found]
            return bool(said) and all(each is healthy for each in said)

        if all_are():
            return
        with self.deployment.in_a_hurry():
            Retrying(
                retry=retry_if_result(lambda done: not done),
                stop=stop_after_delay(NOTICED_WITHIN_S),
                wait=wait_fixed(1),
            )(all_are)

    def passes(self) -> bool:
        """Whether nothing is wrong but for alarms that earlier damage rang."""
        return named(self.verify(PATIENT_S)) <= set(RINGING)


def named(outcome: Outcome) -> set[str]:
    """The probes that an outcome has findings of."""
    return {finding.id for finding in outcome.findings}


Damage = Callable[[Broken], Iterator[Broken | None]]
"""Does damage, gives what to verify where that is not the deployment as it is, and undoes it."""
CASES: dict[str, tuple[Damage, tuple[str, ...]]] = {}


CANNOT = {
    "LIVE-API-008": "the embedded AWS writes no execution logs, so that nothing need let it",
    "LIVE-R53-005": "nobody delegates a zone to the embedded AWS",
    "LIVE-S3-005": "the embedded AWS speaks plain HTTP only",
    "LIVE-TLS-001": "without a domain of its own, the deployment is reached over plain HTTP",
}
"""Probes that cannot be broken here, and why; their faults are in tests/unit/checks/probes/test_faults.py."""
ELSEWHERE = {"LIVE-DDB-001": "test_a_replica_that_was_removed_is_named_and_made_anew_by_a_deployment"}
"""Probes whose damage a test of its own does, in test_damage.py."""


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


@damages("LIVE-API-003", "LIVE-API-009")
def no_key_required(at: Broken) -> Iterator[None]:
    """A change of a method shows with the next deployment: afterwards the stage has its former one again."""
    client, api = at.client("apigateway"), at.declared.api
    resources = client.get_resources(restApiId=api.id)["items"]
    payments = next(one["id"] for one in resources if one["path"] == "/payments")
    before = client.get_stage(restApiId=api.id, stageName=api.stage)["deploymentId"]

    def require(value: str) -> None:
        operation = {"op": "replace", "path": "/apiKeyRequired", "value": value}
        client.update_method(
            restApiId=api.id, resourceId=payments, httpMethod="POST", patchOperations=[operation]
        )

    require("false")
    opened = client.create_deployment(restApiId=api.id, stageName=api.stage)["id"]
    yield
    require("true")
    back = {"op": "replace", "path": "/deploymentId", "value": before}
    client.update_stage(restApiId=api.id, stageName=api.stage, patchOperations=[back])
    client.delete_deployment(restApiId=api.id, deploymentId=opened)


def uncalled(at: Broken, path: str) -> Iterator[None]:
    """The API may no longer call the function for a method."""
    client = at.client("lambda")
    alias = {"FunctionName": at.declared.function.name, "Qualifier": at.declared.function.alias}
    statements = json.loads(client.get_policy(**alias)["Policy"])["Statement"]
    sources = {one["Sid"]: one["Condition"]["ArnLike"]["AWS:SourceArn"] for one in statements}
    (sid,) = (sid for sid, source in sources.items() if source.endswith(path))
    client.remove_permission(**alias, StatementId=sid)
    yield
    client.add_permission(
        **alias,
        StatementId=sid,
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=sources[sid],
    )


@damages(*PAYING, "LIVE-FN-004")
def payments_reach_no_function(at: Broken) -> Iterator[None]:
    return uncalled(at, "/POST/payments")


@contextmanager
def certificate(at: Broken, role: str, names: tuple[str, ...]) -> Iterator[str]:
    """A region's certificate for names of the environment's own zone, which has ACM's records meanwhile."""
    acm, dns, zone = at.client("acm", role), at.client("route53"), at.deployment.outputs["hosted_zone_id"]
    wanted = {"DomainName": names[0], "SubjectAlternativeNames": names[1:], "ValidationMethod": "DNS"}
    arn = acm.request_certificate(**wanted)["CertificateArn"]
    options = acm.describe_certificate(CertificateArn=arn)["Certificate"]["DomainValidationOptions"]

    def change(action: str) -> None:
        for asked in (option["ResourceRecord"] for option in options):
            values = [{"Value": asked["Value"]}]
            record = {"Name": asked["Name"], "Type": asked["Type"], "TTL": 60, "ResourceRecords": values}
            batch = {"Changes": [{"Action": action, "ResourceRecordSet": record}]}
            dns.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)

    change("UPSERT")
    assert acm.describe_certificate(CertificateArn=arn)["Certificate"]["Status"] == "ISSUED"
    change("DELETE")
    yield arn
    acm.delete_certificate(CertificateArn=arn)


@damages("LIVE-API-007")
def a_domain_leads_nowhere(at: Broken) -> Iterator[Broken]:
    """Both names as custom domains in both regions, as a deployment with a domain of one's own has them."""
    dns = at.outputs.declared.dns
    seen = replace(at.declaring(dns=replace(dns, delegated=True)), only=("LIVE-API-*",))
    names = (at.outputs.failover_domain, at.outputs.latency_domain)
    gateways = [at.client("apigateway", role) for role in ("primary", ROLE)]
    with certificate(at, "primary", names) as first, certificate(at, ROLE, names) as second:
        for client, arn, region in zip(gateways, (first, second), at.outputs.declared.regions, strict=True):
            for name in names:
                with at.deployment.in_a_hurry(DOMAINS_HURRY):  # API Gateway makes one in 30 s
                    time.sleep(30 / DOMAINS_HURRY + 0.1)
                client.create_domain_name(
                    domainName=name,
                    regionalCertificateArn=arn,
                    endpointConfiguration={"types": ["REGIONAL"]},
                    tags=tags(at.deployment.env),
                )
                mapping = {"restApiId": region.api.id, "stage": region.api.stage}
                client.create_base_path_mapping(domainName=name, **mapping)
        assert seen.passes()
        gateways[1].delete_base_path_mapping(domainName=names[1], basePath="(none)")
        yield seen
        for client in gateways:
            for name in names:
                client.delete_domain_name(domainName=name)


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


COLD = ("LIVE-API-002", "LIVE-R53-002", "LIVE-R53-006")
"""A new version starts cold, which the health page may feel, and whoever asks for it."""


@damages("LIVE-FN-001", *COLD, *PAYING)
def less_memory(at: Broken) -> Iterator[None]:
    return other_configuration(at, MemorySize=256)


@damages("LIVE-LOG-002", "LIVE-FN-003", *COLD, *PAYING)
def nothing_is_logged(at: Broken) -> Iterator[None]:
    found = at.client("lambda").get_function_configuration(FunctionName=at.declared.function.name)
    variables = found["Environment"]["Variables"]
    return other_configuration(at, Environment={"Variables": {**variables, "LOG_LEVEL": "CRITICAL"}})


@damages("LIVE-API-002", "LIVE-FN-001", "LIVE-R53-002", "LIVE-R53-006", *RINGING, *PAYING)
def no_handler(at: Broken) -> Iterator[None]:
    return other_configuration(at, Handler="payments.handler.nothing")


@damages("LIVE-FN-003", *COLD, *PAYING)
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


# A key whose policy does not let the function through locks it out of the table.
@damages("LIVE-DDB-002", "LIVE-API-002", "LIVE-R53-002", "LIVE-R53-006", *PAYING)
def another_table_key(at: Broken) -> Iterator[None]:
    def set_to(key: str) -> None:
        at.client("dynamodb").update_table(
            TableName=at.out("dynamodb_table_name"),
            SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key},
        )

    set_to(at.declared.keys.application)
    yield
    set_to(at.declared.keys.data)


@damages("LIVE-DDB-004", "LIVE-API-004", "LIVE-S3-008")
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
    client, table = at.client("dynamodb"), at.out("dynamodb_table_name")
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


@damages("LIVE-R53-004", "LIVE-R53-003", "LIVE-R53-006")
def failover_name_leads_to_the_secondary(at: Broken) -> Iterator[None]:
    dns, host = at.outputs.declared.dns, at.declared.api.execute_host
    records = [{"Value": host}]
    return record_changed(at, "failover_domain", dns.set_identifiers[0], ResourceRecords=records)


@damages("LIVE-R53-006", "LIVE-R53-003", "LIVE-R53-004")
def failover_name_leads_nowhere(at: Broken) -> Iterator[None]:
    dns, region = at.outputs.declared.dns, at.deployment.region(ROLE)
    records = [{"Value": f"nothing123.execute-api.{region}.amazonaws.com"}]
    return record_changed(at, "failover_domain", dns.set_identifiers[0], ResourceRecords=records)


@damages("LIVE-R53-007")
def canaries_delegated_elsewhere(at: Broken) -> Iterator[None]:
    """The change is INSYNC, and the zone's name servers refer to others all the same."""
    client, zone = at.client("route53"), at.deployment.outputs["hosted_zone_id"]
    below = canary_domain(at.deployment.outputs["failover_domain"], "").removeprefix(".")
    elsewhere = {"Name": below, "Type": "NS", "TTL": 60, "ResourceRecords": [{"Value": "ns.example.com."}]}

    def change(action: str) -> None:
        batch = {"Changes": [{"Action": action, "ResourceRecordSet": elsewhere}]}
        client.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)

    change("CREATE")
    yield
    change("DELETE")


@damages("LIVE-S3-001", "LIVE-S3-006", "LIVE-S3-007")
def versioning_suspended(at: Broken) -> Iterator[None]:
    """What is copied keeps its versions: the copying ends first."""
    client, bucket = at.client("s3"), at.out("s3_bucket_name")
    before = client.get_bucket_replication(Bucket=bucket)["ReplicationConfiguration"]

    def set_to(status: str) -> None:
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})

    client.delete_bucket_replication(Bucket=bucket)
    set_to("Suspended")
    yield
    set_to("Enabled")
    client.put_bucket_replication(Bucket=bucket, ReplicationConfiguration=before)


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


@damages("LIVE-S3-007", "LIVE-S3-006")
def only_some_objects_copied(at: Broken) -> Iterator[None]:
    client, bucket = at.client("s3"), at.out("s3_bucket_name")
    before = client.get_bucket_replication(Bucket=bucket)["ReplicationConfiguration"]
    some = {**before, "Rules": [{**before["Rules"][0], "Filter": {"Prefix": "some/"}}]}
    client.put_bucket_replication(Bucket=bucket, ReplicationConfiguration=some)
    yield
    client.put_bucket_replication(Bucket=bucket, ReplicationConfiguration=before)


@damages("LIVE-S3-008")
def payment_without_audit_object(at: Broken) -> Iterator[None]:
    """As an operator may write one; the function is handed only what it recorded."""
    client, table = at.client("dynamodb"), at.out("dynamodb_table_name")
    key = {"payment_id": {"S": "pay_" + "0" * 40}, "timestamp": {"N": str(time.time_ns() // 1_000_000)}}
    texts = {
        "status": "accepted",
        "customer_id": "damaged",
        "currency": "EUR",
        "payment_method": "card",
        "fingerprint": "f" * 64,
    }
    item = {**key, "amount": {"N": "1"}, **{name: {"S": text} for name, text in texts.items()}}
    client.put_item(TableName=table, Item=item)
    yield
    client.delete_item(TableName=table, Key=key)


@damages("LIVE-CW-002")
def audit_record_not_written(at: Broken) -> Iterator[None]:
    """The function is refused by the bucket, counts that in its log, and its own alarm rings."""
    client, declared = (
        at.client("cloudwatch"),
        next(one for one in at.declared.alarms if one.metric == "AuditWriteFailed"),
    )
    outputs = next(one for one in at.outputs.regions if one.region == at.declared.region)
    aws = Aws(endpoints_of(at.deployment.project.server))
    payment = canary.payment(at.deployment.env, str(uuid.uuid4()), time.time_ns() // 1_000_000, {})

    def rings() -> bool:
        (alarm,) = client.describe_alarms(AlarmNames=[declared.name])["MetricAlarms"]
        return bool(alarm["StateValue"] == "ALARM")

    refused = statement("Deny", "s3:PutObject", f"arn:aws:s3:::{at.out('s3_bucket_name')}/*")
    for _ in extra_policy(at, refused):
        with make_client(NOTICED_WITHIN_S) as http:
            PaymentsApi(HttpxHttp(http), outputs.api_endpoint, read_api_key(aws, outputs)).pay(payment)
        Retrying(
            retry=retry_if_result(lambda done: not done),
            stop=stop_after_delay(NOTICED_WITHIN_S),
            wait=wait_fixed(0.5),
        )(rings)
    canary.remove(at.client("dynamodb"), at.out("dynamodb_table_name"), payment.payment_id)
    yield


@damages("LIVE-CW-003")
def health_alarm_action_disabled(at: Broken) -> Iterator[None]:
    name = at.outputs.declared.health.alarms[1].name
    client = at.client("cloudwatch", "primary")  # in us-east-1, where the metrics of health checks are
    client.disable_alarm_actions(AlarmNames=[name])
    yield
    client.enable_alarm_actions(AlarmNames=[name])


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


@damages("LIVE-IAM-001", "LIVE-API-004")
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


@damages("LIVE-KMS-001", "LIVE-KMS-003", "LIVE-S3-007", "LIVE-S3-008")
def key_disabled(at: Broken) -> Iterator[None]:
    at.client("kms").disable_key(KeyId=at.declared.keys.audit)
    yield
    at.client("kms").enable_key(KeyId=at.declared.keys.audit)


@damages("LIVE-KMS-003")
def key_refuses_to_encrypt(at: Broken) -> Iterator[Broken]:
    """Seen by a role: the embedded AWS holds no key's policy against the account's root."""
    iam, kms, name = at.client("iam"), at.client("kms"), "looks-at-everything"
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
    }
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    iam.put_role_policy(RoleName=name, PolicyName=name, PolicyDocument=statement("Allow", "*", "*"))
    seen = replace(at, role_arn=made["Arn"])
    assert seen.passes()
    key = {"KeyId": at.declared.keys.data, "PolicyName": "default"}
    before = kms.get_key_policy(**key)["Policy"]
    policy = json.loads(before)
    policy["Statement"].append(
        {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "kms:Encrypt", "Resource": "*"}
    )
    kms.put_key_policy(**key, Policy=json.dumps(policy))
    yield seen
    kms.put_key_policy(**key, Policy=before)
    iam.delete_role_policy(RoleName=name, PolicyName=name)
    iam.delete_role(RoleName=name)


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


@damages("LIVE-SSM-003")
def cursor_secret_changed(at: Broken) -> Iterator[None]:
    yield from parameter_changed(at, Names(at.outputs.environment_suffix).parameter(Parameter.CURSORS))


@damages("LIVE-SNS-001")
def topic_without_key(at: Broken) -> Iterator[None]:
    def set_to(key: str) -> None:
        at.client("sns").set_topic_attributes(
            TopicArn=at.out("sns_topic_arn"), AttributeName="KmsMasterKeyId", AttributeValue=key
        )

    set_to("")
    yield
    set_to(at.declared.keys.audit)


@damages("LIVE-SNS-002")
def address_not_subscribed(at: Broken) -> Iterator[Broken]:
    email = "oncall@example.com"
    topics = {role: at.deployment.output("sns_topic_arn", role) for role in ("primary", ROLE)}
    seen = replace(at.declaring(alarm_email=email), only=("LIVE-SNS-*",))
    made = {
        role: at.client("sns", role).subscribe(
            TopicArn=topic, Protocol="email", Endpoint=email, ReturnSubscriptionArn=True
        )["SubscriptionArn"]
        for role, topic in topics.items()
    }
    (pending,) = {finding.verdict for finding in seen.verify().findings}
    assert pending is Kind.WARN, "nobody has confirmed the address yet"
    # What would be mailed stands in the embedded AWS's log.
    mails = re.findall(
        f"A mail to {email} .* the token (\\S+)\\.", at.deployment.project.run("local", "logs").stdout
    )
    for (role, topic), token in zip(topics.items(), mails[-len(topics) :], strict=True):
        at.client("sns", role).confirm_subscription(TopicArn=topic, Token=token)
    assert seen.passes()
    at.client("sns").unsubscribe(SubscriptionArn=made[ROLE])
    yield seen
    at.client("sns", "primary").unsubscribe(SubscriptionArn=made["primary"])


@damages("LIVE-API-009")
def another_deployment_served(at: Broken) -> Iterator[None]:
    """Made by hand: whatever it holds, it is not what Terraform deployed."""
    client, api = at.client("apigateway"), at.declared.api
    before = client.get_stage(restApiId=api.id, stageName=api.stage)["deploymentId"]

    def serve(deployment: str) -> None:
        operation = {"op": "replace", "path": "/deploymentId", "value": deployment}
        client.update_stage(restApiId=api.id, stageName=api.stage, patchOperations=[operation])

    made = client.create_deployment(restApiId=api.id, description="by hand")["id"]
    serve(made)
    yield
    serve(before)
    client.delete_deployment(restApiId=api.id, deploymentId=made)


@damages("LIVE-FN-004")
def anybody_may_call(at: Broken) -> Iterator[None]:
    client, function = at.client("lambda"), at.declared.function
    of = {"FunctionName": function.name, "Qualifier": function.alias, "StatementId": "damage"}
    client.add_permission(**of, Action="lambda:InvokeFunction", Principal="*")
    yield
    client.remove_permission(**of)


@damages("LIVE-FN-005")
def stream_not_read(at: Broken) -> Iterator[None]:
    client, alias = at.client("lambda"), f"{at.out('lambda_function_arn')}:{at.declared.function.alias}"
    (mapping,) = client.list_event_source_mappings(FunctionName=alias)["EventSourceMappings"]
    client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    yield
    client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)


@damages("LIVE-DDB-007")
def payments_expire(at: Broken) -> Iterator[None]:
    def set_to(value: bool) -> None:
        at.client("dynamodb").update_time_to_live(
            TableName=at.out("dynamodb_table_name"),
            TimeToLiveSpecification={"Enabled": value, "AttributeName": "expires"},
        )

    set_to(True)
    yield
    set_to(False)


STRANGER = {"Sid": "Damage", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}}


@damages("LIVE-DDB-008")
def a_stranger_reads_the_table(at: Broken) -> Iterator[None]:
    client, table = at.client("dynamodb"), at.out("dynamodb_table_arn")
    statement = {**STRANGER, "Action": "dynamodb:GetItem", "Resource": table}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    client.put_resource_policy(ResourceArn=table, Policy=json.dumps(policy))
    yield
    client.delete_resource_policy(ResourceArn=table)


@damages("LIVE-S3-009")
def audit_objects_expire_early(at: Broken) -> Iterator[None]:
    client, bucket = at.client("s3"), at.out("s3_bucket_name")
    (before,) = client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]

    def set_to(rule: dict[str, Any]) -> None:
        client.put_bucket_lifecycle_configuration(
            Bucket=bucket,
            TransitionDefaultMinimumObjectSize="varies_by_storage_class",
            LifecycleConfiguration={"Rules": [rule]},
        )

    set_to({**before, "Transitions": [], "Expiration": {"Days": 1}})
    yield
    set_to(before)


@damages("LIVE-IAM-003")
def a_stranger_takes_the_role_on(at: Broken) -> Iterator[None]:
    client, role = at.client("iam"), at.declared.function.role_name
    before = client.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]

    def set_to(*statements: dict[str, Any]) -> None:
        document = json.dumps({**before, "Statement": list(statements)})
        client.update_assume_role_policy(RoleName=role, PolicyDocument=document)

    set_to(*before["Statement"], {**STRANGER, "Action": "sts:AssumeRole"})
    yield
    set_to(*before["Statement"])


@damages("LIVE-IAM-004")
def replication_may_do_all(at: Broken) -> Iterator[None]:
    client, role = at.client("iam"), at.declared.replication_role_arn.rpartition("/")[2]
    attached = {"RoleName": role, "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}
    client.attach_role_policy(**attached)
    yield
    client.detach_role_policy(**attached)


def without_alarms(policy: str) -> str:
    """A policy without its statement about CloudWatch's alarms."""
    document = json.loads(policy)
    kept = [one for one in document["Statement"] if one["Sid"] != "Alarms"]
    return json.dumps({**document, "Statement": kept})


@damages("LIVE-KMS-004")
def alarms_may_not_use_the_key(at: Broken) -> Iterator[None]:
    """They ring, and what they publish to the encrypted topic is lost."""
    client, key = at.client("kms"), {"KeyId": at.declared.keys.audit, "PolicyName": "default"}
    before = client.get_key_policy(**key)["Policy"]
    client.put_key_policy(**key, Policy=without_alarms(before))
    yield
    client.put_key_policy(**key, Policy=before)


@damages("LIVE-SNS-003")
def alarms_may_not_publish(at: Broken) -> Iterator[None]:
    client, topic = at.client("sns"), at.out("sns_topic_arn")
    before = client.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]

    def set_to(text: str) -> None:
        client.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=text)

    set_to(without_alarms(before))
    yield
    set_to(before)


@damages("LIVE-TAG-001")
def tags_removed(at: Broken) -> Iterator[None]:
    client, table = at.client("dynamodb"), at.out("dynamodb_table_arn")
    before = client.list_tags_of_resource(ResourceArn=table)["Tags"]
    client.untag_resource(ResourceArn=table, TagKeys=[one["Key"] for one in before])
    yield
    client.tag_resource(ResourceArn=table, Tags=before)


@damages("LIVE-R53-001", "LIVE-R53-002", *RINGING)
def health_check_inverted(at: Broken) -> Iterator[None]:
    client, id = at.client("route53"), at.out("health_check_id")
    client.update_health_check(HealthCheckId=id, Inverted=True)
    yield
    client.update_health_check(HealthCheckId=id, Inverted=False)


@damages("LIVE-R53-008")
def evacuation_page_is_not_looked_at(at: Broken) -> Iterator[None]:
    client, declared = at.client("route53"), Declared.from_json(at.deployment.outputs["declared"])
    assert declared.evacuation is not None
    for id in declared.evacuation.flag_checks:
        client.update_health_check(HealthCheckId=id, ResourcePath="/prod/nothing")
    yield
    for id in declared.evacuation.flag_checks:
        client.update_health_check(HealthCheckId=id, ResourcePath=declared.evacuation.page)


@damages("LIVE-FN-002", "LIVE-API-002", "LIVE-R53-002", *RINGING, *PAYING)
def no_concurrency(at: Broken) -> Iterator[None]:
    client, name = at.client("lambda"), at.declared.function.name
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    yield
    client.delete_function_concurrency(FunctionName=name)


@damages("LIVE-R53-002", "LIVE-API-002", "LIVE-FN-004", "LIVE-R53-006", *RINGING)
def health_page_reaches_no_function(at: Broken) -> Iterator[None]:
    """Until no checker is left that has not noticed."""
    steps = uncalled(at, "/GET/health")
    next(steps)
    at.until_checkers_are(healthy=False)
    yield
    next(steps, None)


@contextmanager
def broken(damage: Damage, at: Broken) -> Iterator[Broken]:
    """While the damage is done: what to verify. Afterwards checkers have noticed that it is over."""
    steps = damage(at)
    seen = next(steps)
    try:
        yield seen or at
    finally:
        for _ in steps:
            raise AssertionError("a damage is done once")
        at.until_checkers_are(healthy=True)
