"""An environment comes and goes beside another, and leaves nothing behind."""

import json
from pathlib import Path

from tests.e2e.conftest import Deployment

OTHER = "gone"


def everything(deployment: Deployment) -> dict[str, list[str]]:
    """Every resource of the embedded AWS whose name or tags could be the other environment's, by kind."""
    found: dict[str, list[str]] = {}
    for role in ("primary", "secondary"):
        apigateway = deployment.client("apigateway", role)
        kms = deployment.client("kms", role)
        found |= {
            f"{role} tables": deployment.client("dynamodb", role).list_tables()["TableNames"],
            f"{role} functions": [
                each["FunctionName"]
                for each in deployment.client("lambda", role).list_functions()["Functions"]
            ],
            f"{role} APIs": [each["name"] for each in apigateway.get_rest_apis()["items"]],
            f"{role} API keys": [each["name"] for each in apigateway.get_api_keys()["items"]],
            f"{role} usage plans": [each["name"] for each in apigateway.get_usage_plans()["items"]],
            f"{role} log groups": [
                each["logGroupName"]
                for each in deployment.client("logs", role).describe_log_groups()["logGroups"]
            ],
            f"{role} alarms": [
                each["AlarmName"]
                for each in deployment.client("cloudwatch", role).describe_alarms()["MetricAlarms"]
            ],
            f"{role} dashboards": [
                each["DashboardName"]
                for each in deployment.client("cloudwatch", role).list_dashboards()["DashboardEntries"]
            ],
            f"{role} topics": [
                each["TopicArn"] for each in deployment.client("sns", role).list_topics()["Topics"]
            ],
            f"{role} parameters": [
                each["Name"] for each in deployment.client("ssm", role).describe_parameters()["Parameters"]
            ],
            f"{role} aliases": [each["AliasName"] for each in kms.list_aliases()["Aliases"]],
            f"{role} live keys": [
                json.dumps(kms.list_resource_tags(KeyId=each["KeyId"])["Tags"])
                for each in kms.list_keys()["Keys"]
                if kms.describe_key(KeyId=each["KeyId"])["KeyMetadata"]["KeyState"] != "PendingDeletion"
            ],
        }
    route53 = deployment.client("route53")
    found |= {
        "buckets": [each["Name"] for each in deployment.client("s3").list_buckets()["Buckets"]],
        "roles": [each["RoleName"] for each in deployment.client("iam").list_roles()["Roles"]],
        "zones": [each["Name"] for each in route53.list_hosted_zones()["HostedZones"]],
        "health checks": [
            each["HealthCheckConfig"].get("FullyQualifiedDomainName", "")
            for each in route53.list_health_checks()["HealthChecks"]
        ],
    }
    return found


def test_an_environment_comes_and_goes_and_leaves_nothing(deployment: Deployment) -> None:
    before = everything(deployment)
    project = deployment.project
    where = ("--env", OTHER, "--local")
    deployed = project.run("deploy", *where, "--yes")
    assert deployed.returncode == 0, deployed.stderr
    during = everything(deployment)
    assert any(OTHER in name for names in during.values() for name in names)
    latest = project.folder / "cfn-outputs" / "flat-outputs.json"
    assert json.loads(latest.read_text())["environment_suffix"] == OTHER
    assert one_copy_of_the_provider(project.folder)

    destroyed = project.run("destroy", *where, "--yes", "--format", "json")
    assert destroyed.returncode == 0, destroyed.stderr
    assert json.loads(destroyed.stdout)["destroyed"] > 100
    after = everything(deployment)
    assert {kind: sorted(names) for kind, names in after.items()} == {
        kind: sorted(names) for kind, names in before.items()
    }
    assert not latest.exists()
    again = project.run("destroy", *where, "--yes")
    assert "nothing to destroy" in again.stdout
    assert json.loads(project.run("plan", "--env", deployment.env, "--local", "--format", "json").stdout)[
        "summary"
    ] == {"add": 0, "change": 0, "destroy": 0}


def one_copy_of_the_provider(folder: Path) -> bool:
    """Whether the provider's binary is on disk at most once below the folder."""
    copies = {
        path.resolve().stat().st_ino for path in folder.rglob("terraform-provider-aws*") if path.is_file()
    }
    return len(copies) <= 1
