"""Stacks cannot tell lazy bindings from ordinary ones."""

from collections.abc import Mapping
from typing import Protocol


class Report(Protocol):
    """See conftest.py."""

    environment_kept: bool
    modules: int
    settled: bool
    cases: Mapping[str, object]


PROVIDER = {
    "provider": {"aws": [{"region": "us-east-1"}]},
    "terraform": {"required_providers": {"aws": {"source": "aws", "version": "5.100.0"}}},
}


def manifest(resource: Mapping[str, object], **more: object) -> dict[str, object]:
    return {**PROVIDER, "resource": resource, **more}


def bucket(**properties: object) -> dict[str, object]:
    return manifest({"aws_s3_bucket": {"bucket": properties}})


def test_both_modes_report_the_same_of_every_case(reports: Mapping[str, Report]) -> None:
    lazy, eager = reports["lazy"].cases, reports["eager"].cases
    assert {name for name in {*lazy, *eager} if lazy.get(name) != eager.get(name)} == set()


def test_only_the_eager_mode_imports_every_submodule(reports: Mapping[str, Report]) -> None:
    assert reports["lazy"].modules < 5
    assert reports["eager"].modules > 2_000


def test_the_environment_is_as_before(report: Report) -> None:
    assert report.environment_kept


def test_the_runtime_index_exists_at_the_end(report: Report) -> None:
    assert report.settled


def test_testing_synth(report: Report) -> None:
    assert report.cases["testing_synth"] == bucket(bucket="name", force_destroy=True)


def test_testing_matchers(report: Report) -> None:
    assert report.cases["testing_matchers"] == [True, True, False]


def test_testing_full_synth_writes_the_stack(report: Report) -> None:
    assert report.cases["full_synth"] == ["manifest.json", "stacks/stack/cdk.tf.json"]


def test_an_asset_that_is_a_folder_is_zipped(report: Report) -> None:
    assert report.cases["zipped_folder"] == ["inside.txt"]


def test_a_property_of_the_wrong_type_is_refused(report: Report) -> None:
    expected = "TypeError: type of argument bucket must be one of (str, NoneType); got int instead"
    assert report.cases["type_check"] == expected


def test_a_property_that_does_not_exist_is_refused(report: Report) -> None:
    expected = "TypeError: S3Bucket.__init__() got an unexpected keyword argument 'colour'"
    assert report.cases["unknown_property"] == expected


def test_a_struct_may_be_given_as_a_dict(report: Report) -> None:
    assert report.cases["dict_property"] == bucket(versioning={"enabled": True, "mfa_delete": False})


def test_a_struct_may_be_given_as_itself(report: Report) -> None:
    expected = [bucket(versioning={"enabled": True}), "S3BucketVersioning(enabled=True)", True]
    assert report.cases["struct_property"] == expected


def test_a_list_of_structs_is_written_whole(report: Report) -> None:
    rule = {"expiration": [{"days": 30}], "id": "old", "status": "Enabled"}
    lifecycle = {"aws_s3_bucket_lifecycle_configuration": {"lifecycle": {"bucket": "name", "rule": [rule]}}}
    assert report.cases["list_of_structs"] == manifest(lifecycle)


def test_a_computed_list_is_read_through_its_own_types(report: Report) -> None:
    days = "${aws_s3_bucket.bucket.lifecycle_rule[0].expiration[0].days}"
    assert report.cases["complex_list"] == [
        {**bucket(bucket="name"), "output": {"days": {"value": days}}},
        "S3BucketLifecycleRuleOutputReference",
        "S3BucketVersioningOutputReference",
    ]


def test_properties_may_be_set_and_taken_back(report: Report) -> None:
    assert report.cases["put_and_reset"] == bucket(bucket="renamed", versioning={"enabled": True})


def test_references_become_terraform_expressions(report: Report) -> None:
    buckets = {
        "first": {"bucket": "name"},
        "second": {"bucket": "${aws_s3_bucket.first.bucket}-copy", "depends_on": ["aws_s3_bucket.first"]},
    }
    output = {"arn": {"value": "${aws_s3_bucket.first.arn}"}}
    expected = [manifest({"aws_s3_bucket": buckets}, output=output), True, True]
    assert report.cases["references"] == expected


def test_an_aspect_written_in_python_visits_and_changes(report: Report) -> None:
    rule = {"expiration": [{"days": 30}], "id": "old", "status": "Enabled"}
    resource = {
        "aws_s3_bucket": {"bucket": {"bucket": "name", "tags": {"seen": "yes"}}},
        "aws_s3_bucket_lifecycle_configuration": {"lifecycle": {"bucket": "name", "rule": [rule]}},
    }
    assert report.cases["aspect"] == [manifest(resource), ["bucket"]]


def test_a_validation_written_in_python_stops_the_synth(report: Report) -> None:
    assert report.cases["validation_error"] == [
        "RuntimeError: Error: Validation failed with the following errors:",
        "[stack/bucket] the bucket has no owner",
    ]


def test_iterators_give_for_each_and_dynamic_blocks(report: Report) -> None:
    dynamic = {
        "rule": {
            "content": {"id": "${each.value}", "status": "Enabled"},
            "for_each": '${toset(["x"])}',
            "iterator": "each",
        }
    }
    resource = {
        "aws_s3_bucket": {"bucket": {"bucket": "${each.value}", "for_each": '${toset(["a", "b"])}'}},
        "aws_s3_bucket_lifecycle_configuration": {"lifecycle": {"bucket": "name", "dynamic": dynamic}},
    }
    assert report.cases["iterator"] == manifest(resource)


def test_imports_of_existing_resources_are_configured(report: Report) -> None:
    imports = [
        {"id": "existing-name", "to": "aws_s3_bucket.found"},
        {"id": "other-name", "to": "aws_s3_bucket.bucket"},
    ]
    assert report.cases["import_configuration"] == {**bucket(bucket="name"), "import": imports}


def test_provider_lifecycle_and_overrides_are_written(report: Report) -> None:
    properties = {"acl": "private", "lifecycle": {"prevent_destroy": True}, "provider": "aws.other"}
    providers = [{"region": "us-east-1"}, {"alias": "other", "region": "us-west-2"}]
    assert report.cases["escape_hatch"] == {**bucket(**properties), "provider": {"aws": providers}}


def test_a_subclass_stays_itself_on_its_way_through_node(report: Report) -> None:
    expected = [bucket(bucket="audit-bucket"), True, True, "kept for the auditor"]
    assert report.cases["subclass"] == expected


def test_an_object_of_a_type_that_nobody_imported_arrives_as_that_type(report: Report) -> None:
    queue = manifest({"aws_sqs_queue": {"queue": {"name": "q"}}})
    expected = [True, "cdktf_cdktf_provider_aws.sqs_queue", "SqsQueue", queue]
    assert report.cases["type_nobody_imported"] == expected


def test_submodules_are_attributes_of_the_package(report: Report) -> None:
    assert report.cases["attributes"] == [
        "@cdktf/provider-aws.ec2InstanceState.Ec2InstanceState",
        "@cdktf/provider-aws.wafv2WebAcl.Wafv2WebAcl",
        "@cdktf/provider-aws.dataAwsIamPolicyDocument.DataAwsIamPolicyDocument",
    ]


def test_threads_get_one_and_the_same_module(report: Report) -> None:
    names = ["sns_topic", "sns_topic_subscription", "kms_alias", "kms_key", "ssm_parameter", "iam_role"]
    expected = [[f"cdktf_cdktf_provider_aws.{name}" for name in names * 4], len(names)]
    assert report.cases["threads"] == expected


def test_from_import_gives_the_submodule(report: Report) -> None:
    assert report.cases["from_import"] == [True, True]


def test_an_unknown_attribute_is_refused(report: Report) -> None:
    message = "AttributeError: module 'cdktf_cdktf_provider_aws' has no attribute 'no_such_module'"
    assert report.cases["unknown_attribute"] == [message, False, False]


def test_an_unknown_import_is_refused(report: Report) -> None:
    expected = "ModuleNotFoundError: No module named 'cdktf_cdktf_provider_aws.no_such_module'"
    assert report.cases["unknown_import"] == expected


def test_all_and_dir_name_every_submodule(report: Report) -> None:
    everything = report.cases["public_names"]
    assert isinstance(everything, list)
    public, listed = everything
    assert {"provider", "s3_bucket", "xray_sampling_rule"} <= set(public)
    assert len(public) == 2_135
    assert listed == public


def test_inspect_and_resources_find_the_package(report: Report) -> None:
    name = "cdktf_cdktf_provider_aws"
    assert report.cases["package_tools"] == [name, name, "__init__.py", 1, True, True, name]


def test_structs_copy_and_classes_pickle_but_not_modules(report: Report) -> None:
    assert report.cases["copied_and_pickled"] == [True, True, "TypeError"]
