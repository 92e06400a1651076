"""The Resource Groups Tagging API lists whatever of a payments stack carries tags."""

import json
from typing import Any

TAGS = {"Environment": "pr1"}
LISTED = [{"Key": "Environment", "Value": "pr1"}]


def found(world: Any, region: str = "us-east-1") -> dict[str, list[dict[str, str]]]:
    headers = {
        "x-amz-target": "ResourceGroupsTaggingAPI_20170126.GetResources",
        "content-type": "application/x-amz-json-1.1",
    }
    wanted = {"TagFilters": [{"Key": "Environment", "Values": ["pr1"]}]}
    answer = world.call("tagging", "POST", "/", wanted, headers, region)
    listed = json.loads(answer.body)["ResourceTagMappingList"]
    return {one["ResourceARN"]: one["Tags"] for one in listed}


def target(world: Any, service: str, operation: str, **arguments: object) -> Any:
    headers = {"x-amz-target": operation, "content-type": "application/x-amz-json-1.1"}
    answer = world.call(service, "POST", "/", arguments, headers)
    assert answer.status == 200, answer
    return json.loads(answer.body or b"{}")


def test_everything_of_api_gateway(world: Any) -> None:
    api = world.json("apigateway", "POST", "/restapis", {"name": "payments", "tags": TAGS})["id"]
    stage = {"stageName": "prod", "deploymentId": world.deployment(api), "tags": TAGS}
    world.json("apigateway", "POST", f"/restapis/{api}/stages", stage)
    key = world.json("apigateway", "POST", "/apikeys", {"name": "client", "tags": TAGS})["id"]
    plan = world.json("apigateway", "POST", "/usageplans", {"name": "plan", "tags": TAGS})["id"]
    certificate = world.certificate()
    domain = {"domainName": "pay.example.com", "tags": TAGS, "regionalCertificateArn": certificate}
    world.json("apigateway", "POST", "/domainnames", domain)
    prefix = "arn:aws:apigateway:us-east-1::"
    assert found(world) == {
        f"{prefix}/{path}": LISTED
        for path in (
            f"restapis/{api}",
            f"restapis/{api}/stages/prod",
            f"apikeys/{key}",
            f"usageplans/{plan}",
            "domainnames/pay.example.com",
        )
    }
    assert found(world, "us-west-2") == {}


def test_parameters_log_groups_and_certificates(world: Any) -> None:
    target(world, "ssm", "AmazonSSM.PutParameter", Name="/a/b", Value="v", Type="String", Tags=LISTED)
    target(world, "logs", "Logs_20140328.CreateLogGroup", logGroupName="/aws/lambda/x", tags=TAGS)
    asked = {"DomainName": "pay.example.com", "Tags": LISTED}
    arn = target(world, "acm", "CertificateManager.RequestCertificate", **asked)["CertificateArn"]
    assert found(world) == {
        "arn:aws:ssm:us-east-1:000000000000:parameter/a/b": LISTED,
        "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/x": LISTED,
        arn: LISTED,
    }
    assert found(world, "us-west-2") == {}


def test_alarms_of_the_region_that_is_asked(world: Any) -> None:
    world.query(
        "monitoring",
        "Action=PutMetricAlarm&Version=2010-08-01&AlarmName=slow&Namespace=N&MetricName=M&Statistic=Sum"
        "&Period=60&EvaluationPeriods=1&Threshold=1&ComparisonOperator=GreaterThanThreshold"
        "&Tags.member.1.Key=Environment&Tags.member.1.Value=pr1",
    )
    assert found(world) == {"arn:aws:cloudwatch:us-east-1:000000000000:alarm:slow": LISTED}
    assert found(world, "us-west-2") == {}


def test_health_checks_and_zones_are_listed_in_one_region_as_long_as_they_are_there(world: Any) -> None:
    check = (
        '<CreateHealthCheckRequest xmlns="https://route53.amazonaws.com/doc/2013-04-01/">'
        "<CallerReference>1</CallerReference><HealthCheckConfig><Type>HTTPS</Type>"
        "<FullyQualifiedDomainName>a.example.com</FullyQualifiedDomainName></HealthCheckConfig>"
        "</CreateHealthCheckRequest>"
    )
    version = "/2013-04-01"
    made = world.call("route53", "POST", f"{version}/healthcheck", check.encode()).body.decode()
    name = made.split("<Id>")[1].split("</Id>")[0]
    tags = (
        '<ChangeTagsForResourceRequest xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><AddTags>'
        "<Tag><Key>Environment</Key><Value>pr1</Value></Tag></AddTags></ChangeTagsForResourceRequest>"
    )
    assert world.call("route53", "POST", f"{version}/tags/healthcheck/{name}", tags.encode()).status == 200
    assert found(world) == {f"arn:aws:route53:::healthcheck/{name}": LISTED}
    assert found(world, "us-west-2") == {}
    assert world.call("route53", "DELETE", f"{version}/healthcheck/{name}").status == 200
    assert found(world) == {}


def test_a_replica_is_listed_as_long_as_it_is_there(world: Any) -> None:
    world.dynamodb(
        "CreateTable",
        TableName="payments",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    there = [{"Create": {"RegionName": "us-west-2"}}]
    world.dynamodb("UpdateTable", TableName="payments", ReplicaUpdates=there)
    replica = "arn:aws:dynamodb:us-west-2:000000000000:table/payments"
    world.dynamodb("TagResource", region="us-west-2", ResourceArn=replica, Tags=LISTED)
    assert found(world, "us-west-2") == {replica: LISTED}
    gone = [{"Delete": {"RegionName": "us-west-2"}}]
    world.dynamodb("UpdateTable", TableName="payments", ReplicaUpdates=gone)
    assert found(world, "us-west-2") == {}
