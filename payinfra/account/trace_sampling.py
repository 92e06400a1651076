"""X-Ray's sampling rules of an account and region: requests of health checkers leave no trace.

Tracing is turned on for a whole stage, and only a sampling rule can exclude one of its paths (API Gateway
developer guide, "Configure AWS X-Ray sampling rules for API Gateway APIs"). An account may have 25 rules in a
region (AWS General Reference, "AWS X-Ray endpoints and quotas"), so there are two for all environments with
one prefix, and not two for each.
"""

from collections.abc import Mapping
from functools import partial

from payinfra.account.changes import Changes
from payinfra.clients.aws import Aws
from payinfra.core.naming import NAME_PREFIX, STAGE, Names

UNTRACED_PAGES = ("health", "evacuation")
"""The last parts of the paths that Route 53's checkers ask for, all the time."""
PRIORITY = 1000
"""Rules with a lower number come first; X-Ray's own rule has 10000."""


def trace_sampling(regions: tuple[str, ...], aws: Aws, changes: Changes, prefix: str = NAME_PREFIX) -> None:
    """Let X-Ray leave out the health checks of every environment whose names begin with `prefix`.

    A rule of the same name that says something else is changed; other rules stay.

    Raises:
        ClientError: AWS refused something.
    """
    for region in regions:
        client = aws.xray(region)
        pages = client.get_paginator("get_sampling_rules").paginate()
        records = (record for page in pages for record in page.get("SamplingRuleRecords", ()))
        found = {record["SamplingRule"]["RuleName"]: record["SamplingRule"] for record in records}
        for page in UNTRACED_PAGES:
            wanted = sampling_rule(prefix, page)
            name = wanted["RuleName"]
            there = found.get(name)
            if there is None:
                create = partial(client.create_sampling_rule, SamplingRule=wanted)
                changes.make(f"create sampling rule {name} in {region}", create)
            elif any(there.get(key) != value for key, value in wanted.items()):
                # The version is the format's, which nobody changes.
                update = {key: value for key, value in wanted.items() if key != "Version"}
                changes.make(
                    f"change sampling rule {name} in {region}",
                    partial(client.update_sampling_rule, SamplingRuleUpdate=update),
                )


def sampling_rule(prefix: str, page: str) -> Mapping[str, object]:
    """The rule for one page: no request of it is recorded, whatever the number of them.

    API Gateway calls itself by the API's name and the stage's.
    """
    return {
        "RuleName": f"{prefix}-{page}",
        "ResourceARN": "*",
        "Priority": PRIORITY,
        "FixedRate": 0.0,
        "ReservoirSize": 0,
        "ServiceName": f"{Names('*', prefix).api}/{STAGE}",
        "ServiceType": "AWS::ApiGateway::Stage",
        "Host": "*",
        "HTTPMethod": "GET",
        "URLPath": f"*/{page}",
        "Version": 1,
    }
