"""The package that imports its submodules when they are used."""

import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from payinfra.core.errors import EnvironmentUnusable
from payinfra.stacks.cdktf_bindings import JsiiPackage, import_on_demand, jsii_name

MakeBindings = Callable[..., JsiiPackage]


def test_no_submodule_is_imported_before_it_is_used(make_bindings: MakeBindings) -> None:
    bindings = make_bindings()
    package = import_on_demand(bindings, {})
    loaded = [name for name in sys.modules if name.startswith(f"{bindings.package}.")]
    assert sys.modules[bindings.package] is package
    assert loaded == [f"{bindings.package}._jsii"]
    assert not hasattr(package, "eager")


def test_an_attribute_imports_its_submodule(make_bindings: MakeBindings) -> None:
    bindings = make_bindings()
    package = import_on_demand(bindings, {})
    submodule = package.s3_bucket
    assert submodule.__name__ == f"{bindings.package}.s3_bucket"
    assert sys.modules[f"{bindings.package}.s3_bucket"] is submodule
    assert package.s3_bucket is submodule
    assert f"{bindings.package}.sqs_queue" not in sys.modules


def test_an_import_statement_imports_the_submodule(make_bindings: MakeBindings) -> None:
    bindings = make_bindings()
    package = import_on_demand(bindings, {})
    submodule = importlib.import_module(f"{bindings.package}.sqs_queue")
    assert package.sqs_queue is submodule


def test_an_unknown_attribute_is_refused_as_a_module_does(make_bindings: MakeBindings) -> None:
    bindings = make_bindings()
    package = import_on_demand(bindings, {})
    with pytest.raises(AttributeError, match=f"^module '{bindings.package}' has no attribute 'sqs_topic'$"):
        _ = package.sqs_topic


def test_public_names_are_the_submodules(make_bindings: MakeBindings) -> None:
    package = import_on_demand(make_bindings(), {})
    assert package.__all__ == ["s3_bucket", "sqs_queue"]
    assert [name for name in dir(package) if not name.startswith("_")] == ["s3_bucket", "sqs_queue"]
    assert {"__path__", "__spec__"} <= set(dir(package))


def test_the_package_keeps_its_source(make_bindings: MakeBindings) -> None:
    bindings = make_bindings()
    package = import_on_demand(bindings, {})
    assert inspect.getsource(package) == Path(str(package.__file__)).read_text()


def test_jsii_learns_where_each_submodule_is(make_bindings: MakeBindings) -> None:
    bindings = make_bindings()
    submodules = {"other.x": "other.x"}
    import_on_demand(bindings, submodules)
    assert submodules == {
        "other.x": "other.x",
        f"{bindings.assembly}.s3Bucket": f"{bindings.package}.s3_bucket",
        f"{bindings.assembly}.sqsQueue": f"{bindings.package}.sqs_queue",
    }


def test_a_package_that_cannot_be_loaded_is_forgotten(make_bindings: MakeBindings) -> None:
    bindings = make_bindings(jsii="raise ValueError('no such tarball')")
    submodules: dict[str, str] = {}
    with pytest.raises(ValueError, match="no such tarball"):
        import_on_demand(bindings, submodules)
    assert bindings.package not in sys.modules
    assert submodules == {}


def test_a_package_that_is_not_installed_is_named() -> None:
    with pytest.raises(EnvironmentUnusable, match="no_bindings_here is not installed") as raised:
        import_on_demand(JsiiPackage("no_bindings_here", "@no/bindings"), {})
    assert "--eager-bindings" in raised.value.hint


def test_a_package_without_source_is_refused() -> None:
    with pytest.raises(EnvironmentUnusable, match="package sys is not installed as source files"):
        import_on_demand(JsiiPackage("sys", "@fake/sys"), {})


@pytest.mark.parametrize(
    ("submodule", "expected"),
    [
        ("provider", "provider"),
        ("s3_bucket", "s3Bucket"),
        ("wafv2_web_acl", "wafv2WebAcl"),
        ("data_aws_iam_policy_document", "dataAwsIamPolicyDocument"),
        ("ec2_instance_state", "ec2InstanceState"),
    ],
)
def test_jsii_names_are_camel_case(submodule: str, expected: str) -> None:
    assert jsii_name(submodule) == expected
