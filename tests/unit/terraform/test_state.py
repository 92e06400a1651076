import pytest

from payinfra.terraform.jsonvalue import JsonValue, items
from payinfra.terraform.state import Kept, kept, with_attributes


def resource(*instances: JsonValue, mode: str = "managed", module: str = "") -> JsonValue:
    found: dict[str, JsonValue] = {
        "mode": mode,
        "type": "aws_kms_key",
        "name": "data",
        "instances": list(instances),
    }
    return found | ({"module": module} if module else {})


def instance(**more: JsonValue) -> JsonValue:
    return {"attributes": {"id": "k1", "secret": "hunter2"}, **more}


def addresses(*resources: JsonValue) -> list[str]:
    return [one.address for one in kept({"resources": list(resources)})]


def test_what_a_state_knows_is_read() -> None:
    whole, cut_off = kept(
        {"resources": [resource(instance()), resource(instance(status="tainted"), module="module.a")]}
    )
    assert (whole.address, whole.type, whole.id, whole.tainted) == (
        "aws_kms_key.data",
        "aws_kms_key",
        "k1",
        False,
    )
    assert cut_off.address == "module.a.aws_kms_key.data"
    assert cut_off.tainted
    assert "hunter2" not in repr((whole, cut_off))


@pytest.mark.parametrize(
    ("source", "provider"),
    [
        ('provider["registry.terraform.io/hashicorp/aws"].primary', "aws.primary"),
        ('provider["registry.terraform.io/hashicorp/aws"]', "aws"),
        ('provider["aws"]', "aws"),
        ("", ""),
    ],
)
def test_the_provider_is_named_as_a_plan_names_it(source: str, provider: str) -> None:
    found: dict[str, JsonValue] = {"mode": "managed", "provider": source, "instances": [instance()]}
    assert [one.provider for one in kept({"resources": [found]})] == [provider]


def test_instances_have_their_key_in_the_address() -> None:
    assert addresses(resource(instance(index_key="eu"), instance(index_key=0))) == [
        'aws_kms_key.data["eu"]',
        "aws_kms_key.data[0]",
    ]


def test_data_sources_and_what_waits_to_be_deleted_do_not_count() -> None:
    assert addresses(resource(instance(), mode="data"), resource(instance(deposed="653ca661"))) == []


def test_no_state_knows_nothing() -> None:
    assert kept(None) == ()


def test_a_resource_that_was_never_named_has_no_id() -> None:
    assert Kept("a.b", "a", "aws", tainted=True, attributes={}).id == ""


def test_attributes_are_written_into_the_next_version_of_a_state() -> None:
    data: JsonValue = {"mode": "data", "type": "d", "name": "e", "instances": [{"attributes": {"id": "1"}}]}
    state: JsonValue = {"serial": 7, "lineage": "l", "resources": [resource(instance()), data]}
    written = with_attributes(
        state, {"aws_kms_key.data": {"deletion_window_in_days": 7}, "data.d.e": {"x": 1}}
    )
    assert (written["serial"], written["lineage"]) == (8, "l")
    (key,) = kept(written)
    assert key.attributes == {"id": "k1", "secret": "hunter2", "deletion_window_in_days": 7}
    assert written["resources"] == [*items(written, "resources")[:1], data], "nothing else is touched"
