"""What holds for the stack as a whole: providers, tags, names, outputs, state, symmetry."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest

from payinfra.account.quotas import NEEDED
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.outputs import COMMON_OUTPUTS, REGION_OUTPUTS, SECONDARY_PREFIX, Outputs
from payinfra.core.settings import Settings
from payinfra.stacks import stack_folder, synthesize
from tests.synth.stacks.conftest import ENDPOINTS

if TYPE_CHECKING:
    from tests.synth.stacks.conftest import Synthesized

# Where a physical name stands in each type. A type that is not here has no name of its own.
NAMED_BY = {
    "aws_acm_certificate": "domain_name",
    "aws_api_gateway_api_key": "name",
    "aws_api_gateway_domain_name": "domain_name",
    "aws_api_gateway_request_validator": "name",
    "aws_api_gateway_rest_api": "name",
    "aws_api_gateway_usage_plan": "name",
    "aws_cloudwatch_dashboard": "dashboard_name",
    "aws_cloudwatch_log_group": "name",
    "aws_cloudwatch_log_metric_filter": "name",
    "aws_cloudwatch_metric_alarm": "alarm_name",
    "aws_dynamodb_table": "name",
    "aws_iam_role": "name",
    "aws_iam_role_policy": "name",
    "aws_kms_alias": "name",
    "aws_lambda_function": "function_name",
    "aws_route53_zone": "name",
    "aws_s3_bucket": "bucket",
    "aws_sns_topic": "name",
    "aws_ssm_parameter": "name",
}
# What the other region's half of a pair may differ in: the region, and what follows from it.
GLOBAL = ("ledger_", "records_", "dns_", "validation_", "health_", "global_", "published_")


def test_every_resource_has_an_explicit_provider(every: "Synthesized") -> None:
    aliases = {f"aws.{one['alias']}" for one in every.content["provider"]["aws"]}
    for address, block in every.all().items():
        assert block["provider"] in aliases, address
    for named in every.content["data"].values():
        assert all(block["provider"] in aliases for block in named.values())


def test_there_is_a_provider_a_region(every: "Synthesized") -> None:
    regions = {one["alias"]: one["region"] for one in every.content["provider"]["aws"]}
    primary, secondary = every.settings.regions
    expected = {"primary": primary, "secondary": secondary}
    if "us-east-1" not in every.settings.regions:
        expected["global"] = "us-east-1"
    assert regions == expected


def test_tags_come_from_the_providers_alone(every: "Synthesized") -> None:
    settings = every.settings
    tags = {
        "Environment": settings.env,
        "EnvironmentSuffix": settings.env,
        "Project": "payment-infrastructure",
        "ManagedBy": "cdktf",
    }
    if settings.owner:
        tags |= {"Owner": settings.owner, "CostCenter": str(settings.cost_center)}
    for provider in every.content["provider"]["aws"]:
        assert provider["default_tags"] == [{"tags": tags}]
    # What AWS has no other name for is named by a tag; nothing else has tags of its own.
    own = {address: block["tags"] for address, block in every.all().items() if "tags" in block}
    assert all(set(tags) == {"Name"} for tags in own.values())
    assert {address.split(".")[0] for address in own} <= {"aws_route53_health_check", "aws_acm_certificate"}


def test_every_physical_name_carries_the_environment(every: "Synthesized") -> None:
    seen = set()
    for address, block in every.all().items():
        type_ = address.split(".")[0]
        if type_ not in NAMED_BY:
            continue
        seen.add(type_)
        name = block[NAMED_BY[type_]]
        # AWS dictates this one; the API's id is in it.
        if not name.startswith("API-Gateway-Execution-Logs_"):
            assert f"payment-{every.settings.env}" in name, address
    assert seen >= set(NAMED_BY) - {
        "aws_acm_certificate",
        "aws_api_gateway_domain_name",
        "aws_route53_zone",
    }


def test_no_name_of_one_environment_is_a_name_of_another(local: "Synthesized") -> None:
    things: dict[str, list[str]] = {}
    for address, block in local.all().items():
        type_ = address.split(".")[0]
        if type_ in NAMED_BY:
            place = block["provider"]
            things.setdefault(f"{type_} {place}", []).append(
                block[NAMED_BY[type_]].split("payment-pr123")[-1]
            )
    for scope, found in things.items():
        for one in found:
            # Environment `a` with the thing `b-x` would be `a-b` with the thing `x`.
            assert not [x for x in found if x != one and x.startswith("-") and one.endswith(x)], scope
        assert len(found) == len(set(found)) or "iam_role_policy" in scope


def normal(value: Any, place: str, region: str) -> Any:
    """A value with the region, and what is named after it, blanked."""
    if isinstance(value, Mapping):
        return {key: normal(one, place, region) for key, one in value.items() if key != "//"}
    if isinstance(value, list):
        return [normal(one, place, region) for one in value]
    if isinstance(value, str):
        other = {"primary": "secondary", "secondary": "primary"}[place]
        value = value.replace(f"{place}_", "HERE_").replace(f"{other}_", "THERE_")
        value = value.replace(f"aws.{place}", "aws.HERE")
        return value.replace(region, "REGION")
    return value


def of_type(half: Mapping[str, Any], kind: str) -> list[Any]:
    return [block for address, block in half.items() if address.startswith(f"{kind}.")]


def test_the_regions_are_the_same_but_for_the_region(every: "Synthesized") -> None:
    primary, secondary = every.settings.regions
    halves: list[dict[str, Any]] = []
    for place, region, peer in (("primary", primary, secondary), ("secondary", secondary, primary)):
        half = {}
        for address, block in every.all().items():
            type_, name = address.split(".", 1)
            if name.startswith(f"{place}_"):
                blanked = normal(block, place, region)
                half[f"{type_}.{name.removeprefix(place)}"] = json.loads(
                    json.dumps(blanked).replace(peer, "PEER")
                )
            else:
                assert name.startswith(("primary_", "secondary_", *GLOBAL)), address
        halves.append(half)
    here, there = halves
    for half, name in zip(halves, ("REGION", "PEER"), strict=True):
        # Both functions are told which region is the primary one.
        (variables,) = (one["environment"]["variables"] for one in of_type(half, "aws_lambda_function"))
        assert variables.pop("PRIMARY_REGION") == name
    # The differences there are: one key value and one secret for both, one table whose replica is the
    # other's, and the embedded AWS's port for the region.
    made, taken = (half.pop("aws_ssm_parameter._cursor_secret_parameter") for half in halves)
    assert made.pop("lifecycle") == {"ignore_changes": ["value"]}
    assert made.pop("value") == "${uuid()}"
    assert taken.pop("value") == "${aws_ssm_parameter.THERE_cursor_secret_parameter.value}"
    assert made == taken
    here["aws_api_gateway_api_key._api_key"].setdefault(
        "value", "${aws_api_gateway_api_key.THERE_api_key.value}"
    )
    streams = {
        here["aws_lambda_event_source_mapping._service_stream"].pop("event_source_arn"),
        there["aws_lambda_event_source_mapping._service_stream"].pop("event_source_arn"),
    }
    assert streams == {
        "${aws_dynamodb_table.ledger_table.stream_arn}",
        "${one(aws_dynamodb_table.ledger_table.replica[*].stream_arn)}",
    }
    for half in halves:
        policy = half["aws_iam_role_policy._service_policy"]
        for stream in streams:
            policy["policy"] = policy["policy"].replace(stream, "STREAM")
        endpoint = half["aws_ssm_parameter._parameters_endpoint"]
        endpoint["value"] = re.sub(r":456[0-9]", ":PORT", endpoint["value"])
        # The dashboards are the same text in both: primary left, secondary right. One may do for both.
        if every.settings.footprint == "lean":
            half.pop("aws_cloudwatch_dashboard._dashboard", None)
        else:
            half["aws_cloudwatch_dashboard._dashboard"].pop("dashboard_body")
    assert here.keys() == there.keys()
    for address, block in here.items():
        assert block == there[address], address


def test_the_outputs_are_exactly_those_of_the_contract(every: "Synthesized") -> None:
    outputs = every.content["output"]
    assert set(outputs) == {
        *REGION_OUTPUTS,
        *(SECONDARY_PREFIX + name for name in REGION_OUTPUTS),
        *COMMON_OUTPUTS,
    }
    for name, output in outputs.items():
        assert output["description"].strip(), name
        assert not output.get("sensitive"), name
    secrets = re.compile(r"aws_api_gateway_api_key\.\w+\.value")
    assert not secrets.search(json.dumps(outputs))


def test_the_outputs_can_be_read_back(every: "Synthesized") -> None:
    outputs = Outputs.from_flat({name: one["value"] for name, one in every.content["output"].items()})
    assert outputs.environment_suffix == every.settings.env
    assert (outputs.primary_region, outputs.secondary_region) == every.settings.regions
    declared = outputs.declared
    assert [region.region for region in declared.regions] == list(every.settings.regions)
    assert declared.protected is every.settings.protected
    assert declared.retention.logs == every.settings.log_retention_days
    assert declared.retention.object_lock == every.settings.object_lock_days
    assert declared.limits.daily_quota == every.settings.daily_quota
    assert declared.table.indexes == ("status-index", "customer-index")
    in_stack = {one["alarm_name"] for one in every.of("cloudwatch_metric_alarm").values()}
    told = {alarm.name for region in declared.regions for alarm in region.alarms}
    assert told | {alarm.name for alarm in declared.health.alarms} == in_stack


def test_the_printed_endpoint_is_the_one_that_answers(local: "Synthesized", protected: "Synthesized") -> None:
    api = "${aws_api_gateway_rest_api.secondary_api_api.id}"
    assert local.content["output"]["secondary_api_endpoint"]["value"] == (
        f"http://127.0.0.1:4567/_aws/execute-api/{api}/prod/payments"
    )
    assert protected.content["output"]["secondary_api_endpoint"]["value"] == (
        f"https://{api}.execute-api.us-west-2.amazonaws.com/prod/payments"
    )


def endpoints_in(config: Path) -> dict[str, str]:
    """The endpoints in an AWS config file as botocore reads it; under no name, that of all other services."""
    session = botocore.session.Session()
    session.set_config_variable("config_file", str(config))
    default = session.full_config["profiles"]["default"]
    of_services = session.full_config["services"][default["services"]]
    named = {service: settings["endpoint_url"] for service, settings in of_services.items()}
    return {"": default["endpoint_url"], **named}


def test_local_providers_reach_loopback_only(local: "Synthesized", protected: "Synthesized") -> None:
    for provider, port in zip(local.content["provider"]["aws"], (4566, 4567), strict=True):
        (file,) = provider["shared_config_files"]
        endpoints = endpoints_in(local.folder / file.removeprefix("${path.module}/"))
        assert endpoints.pop("") == f"http://127.0.0.1:{port}", "every service but these"
        assert endpoints == dict.fromkeys(("iam", "route_53", "sts"), "http://127.0.0.1:4560")
        assert provider["allowed_account_ids"] == ["000000000000"], "without the file it asks AWS"
        assert provider["s3_use_path_style"] is True
        assert provider["max_retries"] == 4, "one that is gone is said within seconds"
    for provider in protected.content["provider"]["aws"]:
        assert set(provider) == {"alias", "region", "default_tags"}


def test_with_a_domain_terraform_waits_for_the_embedded_aws_to_make_the_next_name(tmp_path: Path) -> None:
    of_its_own = {"env": "pr1", "target": "local", "domain": "pay.test", "hosted_zone_id": "Z0123456789ABC"}
    settings = Settings.resolve({**of_its_own, "work_root": tmp_path}, folder=tmp_path, environ={})
    made = json.loads((synthesize(settings, out=tmp_path, endpoints=ENDPOINTS) / "cdk.tf.json").read_text())
    assert [provider["max_retries"] for provider in made["provider"]["aws"]] == [10, 10]


def test_local_providers_reach_loopback_also_where_health_metrics_are_in_a_third_region(
    tmp_path: Path,
) -> None:
    regions = {"primary_region": "eu-west-1", "secondary_region": "us-west-2"}
    of_its_own = {"env": "pr1", "target": "local", **regions}
    settings = Settings.resolve({**of_its_own, "work_root": tmp_path}, folder=tmp_path, environ={})
    folder = synthesize(settings, out=tmp_path, endpoints=ENDPOINTS)
    providers = json.loads((folder / "cdk.tf.json").read_text())["provider"]["aws"]
    assert [provider["region"] for provider in providers] == ["eu-west-1", "us-west-2", "us-east-1"]
    for provider in providers:
        (file,) = provider["shared_config_files"]
        reached = endpoints_in(folder / file.removeprefix("${path.module}/"))[""]
        assert reached == ENDPOINTS.regions[provider["region"]]


def test_no_credentials_are_in_what_is_synthesized(local: "Synthesized") -> None:
    """Terraform has them from its environment, and the stack is the same whatever they are."""
    for provider in local.content["provider"]["aws"]:
        assert not {"access_key", "secret_key", "token", "profile"} & provider.keys()
    assert local.endpoints is not None
    key = local.endpoints.access_key
    written = [path.read_bytes() for path in local.folder.rglob("*") if path.is_file()]
    assert written
    for secret in (key.access_key_id, key.secret_access_key):
        assert not [content for content in written if secret.encode() in content]


def test_state_is_where_it_was_asked_for(
    local: "Synthesized", protected: "Synthesized", backwards: "Synthesized"
) -> None:
    path = local.content["terraform"]["backend"]["local"]["path"]
    assert path == str(Path("work/local/pr123/terraform.tfstate").absolute())
    assert protected.content["terraform"]["backend"]["s3"] == {
        "bucket": "our-states",
        "key": "payinfra/payment-prod/terraform.tfstate",
        "region": "eu-west-1",
        "encrypt": True,
        "kms_key_id": "alias/payinfra-state",
        "use_lockfile": True,
    }
    named = backwards.content["terraform"]["backend"]["s3"]
    assert (named["key"], named["region"]) == ("team/x.tfstate", "eu-west-1")


def test_terraform_must_know_how_to_lock(every: "Synthesized") -> None:
    assert every.content["terraform"]["required_version"] == ">= 1.10.0"
    assert every.content["terraform"]["required_providers"]["aws"]["version"].startswith("5.100")


def test_addresses_can_be_read(every: "Synthesized") -> None:
    for address, block in every.all().items():
        name = address.split(".")[1]
        assert block["//"]["metadata"]["path"] == f"payment-{every.settings.env}/{name}"
        # cdktf would end it in a hash, did the resource not stand in the stack itself.
        assert not re.search(r"_[0-9A-F]{8}$", name)


def test_two_syntheses_are_the_same_bytes(
    local: "Synthesized", tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    again = synthesize(local.settings, out=tmp_path, endpoints=local.endpoints)
    assert again == stack_folder(tmp_path, local.settings) == tmp_path / "stacks" / "payment-pr123"
    for name in ("cdk.tf.json", "payments.zip"):
        assert (again / name).read_bytes() == (local.folder / name).read_bytes()


def test_a_local_stack_needs_to_know_where(tmp_path: Path) -> None:
    settings = Settings.resolve({"env": "pr1", "target": "local"}, folder=tmp_path, environ={})
    with pytest.raises(EnvironmentUnusable, match="not running") as caught:
        synthesize(settings, out=tmp_path)
    assert "payinfra local up" in caught.value.hint


def test_who_works_as_a_role_does_all_of_it_as_that_role(
    backwards: "Synthesized", protected: "Synthesized"
) -> None:
    role = {"role_arn": "arn:aws:iam::123456789012:role/payinfra-ci", "session_name": "payinfra"}
    assert [each["assume_role"] for each in backwards.content["provider"]["aws"]] == [[role], [role]]
    assert backwards.content["terraform"]["backend"]["s3"]["assume_role"] == role
    assert not [each for each in protected.content["provider"]["aws"] if "assume_role" in each]
    assert "assume_role" not in protected.content["terraform"]["backend"]["s3"]


def test_a_boundary_is_every_roles(backwards: "Synthesized", protected: "Synthesized") -> None:
    bounds = [role["permissions_boundary"] for role in backwards.of("iam_role").values()]
    assert bounds == ["arn:aws:iam::123456789012:policy/our-boundary"] * 4
    assert not [role for role in protected.of("iam_role").values() if "permissions_boundary" in role]


def test_an_environment_takes_as_much_of_the_account_as_is_asked_for_before_it_is_made(
    local: "Synthesized", protected: "Synthesized"
) -> None:
    counted = {
        "health checks": len(local.of("route53_health_check")),
        "hosted zones": len(local.of("route53_zone")),
        "IAM roles": len(local.of("iam_role")),
        # In each of the two regions.
        "Regional APIs": len(local.of("api_gateway_rest_api")) // 2,
        "custom domain names": len(protected.of("api_gateway_domain_name")) // 2,
    }
    assert counted == NEEDED
