"""What probes expect without its being declared is what the stack makes."""

from payinfra.checks.probes import apigateway, awslambda, dynamodb, kms, monitoring
from payinfra.stacks import kms_keys, payments_function, rest_api_contract, routing
from payinfra.stacks.monitoring import LOG_METRICS


def test_the_methods_that_lead_to_the_function() -> None:
    assert apigateway.TLS_POLICY == routing.TLS_POLICY
    declared = {(one.method, one.path, one.needs_key) for one in rest_api_contract.ROUTES}
    assert {(one.method, one.path, apigateway.needs_key(one)) for one in apigateway.ROUTES} == declared


def test_the_records_of_the_stream() -> None:
    region = "eu-west-1"
    assert awslambda.handed_records(region) == payments_function._records(region)
    assert awslambda.STREAM_MAX_AGE_S == payments_function.STREAM_MAX_AGE_S
    assert awslambda.RETRIES_WITHOUT_END == payments_function.STREAM_RETRIES


def test_what_the_function_is_told() -> None:
    assert awslambda.SERVICE == payments_function.POWERTOOLS_SERVICE
    assert set(awslambda.ALIKE) <= payments_function.RESERVED_VARIABLES


def test_the_rotation_of_keys() -> None:
    assert kms.ROTATION_DAYS == kms_keys.ROTATION_DAYS
    assert dynamodb.RECOVERY_DAYS == 35, "the stack says nothing, and DynamoDB's own is the longest"


def test_what_metric_filters_count() -> None:
    for counted in LOG_METRICS:
        found = monitoring.counted(
            {
                "filterPattern": counted.pattern,
                "metricTransformations": [
                    {"metricName": counted.metric, "metricNamespace": "x", "metricValue": "1"}
                ],
            },
            f"payment-demo-{counted.id}",
            "x",
        )
        assert all(there == wanted for _, there, wanted in found)
