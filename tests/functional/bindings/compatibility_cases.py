"""What a stack may do with the bindings, one function a case. Its results must not depend on how they load.

Run by `run_cases.py` in a process of its own, once lazy and once eager. Each case makes an app of its own.
"""

import copy
import importlib
import importlib.resources
import inspect
import json
import pickle
import tempfile
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cdktf
import cdktf_cdktf_provider_aws as aws
import jsii
from cdktf import Testing, Token
from cdktf_cdktf_provider_aws import s3_bucket
from cdktf_cdktf_provider_aws.provider import AwsProvider
from cdktf_cdktf_provider_aws.s3_bucket import S3Bucket, S3BucketVersioning
from cdktf_cdktf_provider_aws.s3_bucket_lifecycle_configuration import (
    S3BucketLifecycleConfiguration,
    S3BucketLifecycleConfigurationRule,
    S3BucketLifecycleConfigurationRuleExpiration,
)
from constructs import Construct, IConstruct, IValidation
from jsii import _reference_map

CASES: dict[str, Callable[[], object]] = {}


def case(function: Callable[[], object]) -> Callable[[], object]:
    CASES[function.__name__] = function
    return function


def new_stack() -> cdktf.TerraformStack:
    stack = cdktf.TerraformStack(Testing.app(), "stack")
    AwsProvider(stack, "aws", region="us-east-1")
    return stack


def synthesized(stack: cdktf.TerraformStack) -> dict[str, object]:
    document: dict[str, object] = json.loads(Testing.synth(stack))
    return document


def message_of(action: Callable[[], object]) -> str:
    try:
        action()
    except (TypeError, AttributeError, ImportError, RuntimeError, pickle.PicklingError) as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


@case
def testing_synth() -> object:
    stack = new_stack()
    S3Bucket(stack, "bucket", bucket="name", force_destroy=True)
    return synthesized(stack)


@case
def testing_matchers() -> object:
    stack = new_stack()
    S3Bucket(stack, "bucket", bucket="name")
    text = Testing.synth(stack)
    return [
        Testing.to_have_resource(text, S3Bucket.TF_RESOURCE_TYPE),
        Testing.to_have_resource_with_properties(text, S3Bucket.TF_RESOURCE_TYPE, {"bucket": "name"}),
        Testing.to_have_resource_with_properties(text, S3Bucket.TF_RESOURCE_TYPE, {"bucket": "other"}),
    ]


@case
def full_synth() -> object:
    stack = new_stack()
    S3Bucket(stack, "bucket", bucket="name")
    folder = Path(Testing.full_synth(stack))
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


@case
def zipped_folder() -> object:
    stack = new_stack()
    with tempfile.TemporaryDirectory() as source:
        (Path(source) / "inside.txt").write_text("it")
        cdktf.TerraformAsset(stack, "asset", path=source, type=cdktf.AssetType.ARCHIVE)
        folder = Path(Testing.full_synth(stack))
    (archive,) = folder.rglob("*.zip")
    return zipfile.ZipFile(archive).namelist()


@case
def type_check() -> object:
    wrong: Any = 12
    stack = new_stack()
    return message_of(lambda: S3Bucket(stack, "bucket", bucket=wrong))


@case
def unknown_property() -> object:
    wrong: Any = {"colour": "red"}
    stack = new_stack()
    return message_of(lambda: S3Bucket(stack, "bucket", **wrong))


@case
def dict_property() -> object:
    stack = new_stack()
    S3Bucket(stack, "bucket", versioning={"enabled": True, "mfa_delete": False})
    return synthesized(stack)


@case
def struct_property() -> object:
    stack = new_stack()
    struct = S3BucketVersioning(enabled=True)
    S3Bucket(stack, "bucket", versioning=struct)
    return [synthesized(stack), repr(struct), struct == S3BucketVersioning(enabled=True)]


def lifecycle(stack: cdktf.TerraformStack) -> S3BucketLifecycleConfiguration:
    return S3BucketLifecycleConfiguration(
        stack,
        "lifecycle",
        bucket="name",
        rule=[
            S3BucketLifecycleConfigurationRule(
                id="old",
                status="Enabled",
                expiration=[S3BucketLifecycleConfigurationRuleExpiration(days=30)],
            )
        ],
    )


@case
def list_of_structs() -> object:
    stack = new_stack()
    lifecycle(stack)
    return synthesized(stack)


@case
def complex_list() -> object:
    stack = new_stack()
    bucket = S3Bucket(stack, "bucket", bucket="name")
    rule = bucket.lifecycle_rule.get(0)
    cdktf.TerraformOutput(stack, "days", value=rule.expiration.days)
    return [synthesized(stack), type(rule).__name__, type(bucket.versioning).__name__]


@case
def put_and_reset() -> object:
    stack = new_stack()
    bucket = S3Bucket(stack, "bucket", bucket="name")
    bucket.put_versioning(enabled=True)
    bucket.bucket = "renamed"
    bucket.force_destroy = True
    bucket.reset_force_destroy()
    return synthesized(stack)


@case
def references() -> object:
    stack = new_stack()
    first = S3Bucket(stack, "first", bucket="name")
    S3Bucket(stack, "second", bucket=f"{first.bucket}-copy", depends_on=[first])
    cdktf.TerraformOutput(stack, "arn", value=first.arn)
    return [synthesized(stack), Token.is_unresolved(first.arn), Token.is_unresolved(first.fqn)]


@jsii.implements(cdktf.IAspect)
class Tagger:
    def __init__(self) -> None:
        self.seen: list[str] = []

    def visit(self, node: IConstruct) -> None:
        if isinstance(node, S3Bucket):
            self.seen.append(node.friendly_unique_id)
            node.tags = {"seen": "yes"}


@case
def aspect() -> object:
    stack = new_stack()
    S3Bucket(stack, "bucket", bucket="name")
    lifecycle(stack)
    tagger = Tagger()
    cdktf.Aspects.of(stack).add(tagger)
    return [synthesized(stack), [*tagger.seen]]


@case
def validation_error() -> object:
    @jsii.implements(IValidation)
    class Refuses:
        def validate(self) -> list[str]:
            return ["the bucket has no owner"]

    stack = new_stack()
    S3Bucket(stack, "bucket", bucket="name").node.add_validation(Refuses())
    error = message_of(lambda: Testing.synth(stack, True))
    return [line.strip() for line in error.splitlines()[:2]]


@case
def iterator() -> object:
    stack = new_stack()
    names = cdktf.TerraformIterator.from_list(["a", "b"])
    S3Bucket(stack, "bucket", for_each=names, bucket=Token.as_string(names.value))
    rules = cdktf.TerraformIterator.from_list(["x"])
    S3BucketLifecycleConfiguration(
        stack, "lifecycle", bucket="name", rule=rules.dynamic({"id": rules.value, "status": "Enabled"})
    )
    return synthesized(stack)


@case
def import_configuration() -> object:
    stack = new_stack()
    S3Bucket.generate_config_for_import(stack, "found", "existing-name")
    S3Bucket(stack, "bucket", bucket="name").import_from("other-name")
    return synthesized(stack)


@case
def escape_hatch() -> object:
    stack = new_stack()
    bucket = S3Bucket(
        stack,
        "bucket",
        lifecycle=cdktf.TerraformResourceLifecycle(prevent_destroy=True),
        provider=AwsProvider(stack, "other", alias="other", region="us-west-2"),
    )
    bucket.add_override("acl", "private")
    return synthesized(stack)


@case
def subclass() -> object:
    class Audited(S3Bucket):
        def __init__(self, scope: Construct, name: str) -> None:
            super().__init__(scope, name, bucket=f"audit-{name}")
            self.reason = "kept for the auditor"

    stack = new_stack()
    bucket = Audited(stack, "bucket")
    found = stack.node.find_child("bucket")
    return [synthesized(stack), found is bucket, isinstance(found, S3Bucket), bucket.reason]


@case
def type_nobody_imported() -> object:
    """Node makes the object; Python never named its submodule."""

    class Handle:
        __jsii_type__ = "@cdktf/provider-aws.sqsQueue.SqsQueue"
        __jsii_declared_type__ = __jsii_type__

    stack = new_stack()
    handle: Any = Handle()
    jsii.create(Handle, handle, [stack, "queue", {"name": "q"}])
    _reference_map._refs._refs.pop(handle.__jsii_ref__.ref)
    found = stack.node.find_child("queue")
    from cdktf_cdktf_provider_aws.sqs_queue import SqsQueue

    return [isinstance(found, SqsQueue), type(found).__module__, type(found).__name__, synthesized(stack)]


@case
def attributes() -> object:
    return [
        getattr(declared, "__jsii_type__", None)
        for declared in (
            aws.ec2_instance_state.Ec2InstanceState,
            aws.wafv2_web_acl.Wafv2WebAcl,
            aws.data_aws_iam_policy_document.DataAwsIamPolicyDocument,
        )
    ]


@case
def threads() -> object:
    names = ["sns_topic", "sns_topic_subscription", "kms_alias", "kms_key", "ssm_parameter", "iam_role"] * 4
    with ThreadPoolExecutor(8) as pool:
        modules = list(pool.map(lambda name: getattr(aws, name), names))
    return [[module.__name__ for module in modules], len({id(module) for module in modules})]


@case
def from_import() -> object:
    return [s3_bucket.S3Bucket is S3Bucket, aws.s3_bucket is s3_bucket]


@case
def unknown_attribute() -> object:
    name = "no_such_module"
    return [message_of(lambda: getattr(aws, name)), hasattr(aws, "os"), hasattr(aws, "jsii")]


@case
def unknown_import() -> object:
    return message_of(lambda: importlib.import_module("cdktf_cdktf_provider_aws.no_such_module"))


@case
def public_names() -> object:
    return [sorted(aws.__all__), sorted(name for name in dir(aws) if not name.startswith("_"))]


@case
def package_tools() -> object:
    return [
        aws.__name__,
        str(aws.__package__),
        Path(str(aws.__file__)).name,
        len(list(aws.__path__)),
        inspect.getsource(aws) == Path(str(aws.__file__)).read_text("utf-8"),
        importlib.resources.files(aws).joinpath("py.typed").is_file(),
        aws.__spec__ is not None and aws.__spec__.name,
    ]


@case
def copied_and_pickled() -> object:
    struct = S3BucketVersioning(enabled=True)
    return [
        copy.deepcopy(struct) == struct,
        S3BucketVersioning.__qualname__.encode() in pickle.dumps(S3BucketVersioning),
        message_of(lambda: pickle.dumps(aws)).split(":")[0],
    ]
