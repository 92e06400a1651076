"""What AWS answers in pages is read to its end: by a paginator, or there is a reason why one page is all."""

import ast
from pathlib import Path

import botocore.session

import payinfra

PACKAGE = Path(payinfra.__file__).parent
SERVICES = (
    *("acm", "apigateway", "cloudwatch", "dynamodb", "fis", "iam", "kms", "lambda", "logs", "route53", "s3"),
    *("resourcegroupstaggingapi", "scheduler", "service-quotas", "sns", "sqs", "ssm"),
)
ONE_PAGE_IS_ALL = {
    ("checks/probes/canaries.py", "query"): "items of one id, of a payment of this run: far below 1 MB",
    ("checks/probes/monitoring.py", "describe_alarms"): "as many at once as one page has, by their names",
    ("checks/probes/s3.py", "list_objects_v2"): "whether it is answered at all",
    ("checks/probes/s3.py", "list_object_versions"): "whether there is one at all",
    ("clients/canary.py", "list_resource_record_sets"): "the next run removes the others",
    ("clients/canary.py", "query"): "items of one id, of a payment of this run: far below 1 MB",
    ("commands/help.py", "list_commands"): "of the command line, not of AWS",
    ("deployment/recovery/discovery.py", "describe_alarms"): "one name",
    ("deployment/recovery/every_type.py", "describe_alarms"): "one name",
    ("deployment/recovery/every_type.py", "list_resource_record_sets"): "it begins with the name's own",
    ("deployment/status.py", "describe_alarms"): "as many at once as one page has, by their names",
    ("drill/alarm_watch.py", "describe_alarms"): "as many at once as one page has, by their names",
    ("drill/preconditions.py", "describe_alarms"): "as many at once as one page has, by their names",
    ("drill/replicas.py", "query"): "items of one id, of a payment of this run: far below 1 MB",
    ("payments/log_events.py", "filter_log_events"): "it follows nextToken itself",
    ("payments/records.py", "query"): "a sample of the latest",
}


def paged() -> frozenset[str]:
    """The methods of clients whose answers have pages."""
    session = botocore.session.get_session()
    clients = (session.create_client(name, region_name="us-east-1") for name in SERVICES)
    return frozenset(
        method
        for client in clients
        for method in client.meta.method_to_api_mapping
        if client.can_paginate(method)
    )


def test_what_has_pages_is_read_with_a_paginator() -> None:
    names, found = paged(), set()
    assert {"list_buckets", "list_event_source_mappings", "describe_log_groups"} <= names
    for file in PACKAGE.rglob("*.py"):
        place = file.relative_to(PACKAGE).as_posix()
        if place.startswith("local/"):
            continue
        for node in ast.walk(ast.parse(file.read_bytes())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in names
            ):
                found.add((place, node.func.attr))
    assert found == set(ONE_PAGE_IS_ALL)
