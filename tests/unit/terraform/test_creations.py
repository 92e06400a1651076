from payinfra.terraform.creations import creations
from payinfra.terraform.jsonvalue import JsonValue

TABLE = "aws_dynamodb_table.payments"


def shown(*actions: str) -> JsonValue:
    region: JsonValue = {"expressions": {"region": {"constant_value": "us-west-2"}}}
    after: JsonValue = {
        "name": "payment-a-payments",
        "tags_all": {"Environment": "a"},
        "secret": "hunter2",
        "size": 1,
    }
    return {
        "configuration": {
            "provider_config": {"aws.secondary": region},
            "root_module": {"resources": [{"address": TABLE, "provider_config_key": "aws.secondary"}]},
        },
        "resource_changes": [
            {
                "address": TABLE,
                "type": "aws_dynamodb_table",
                "change": {"actions": list(actions), "after": after},
            }
        ],
    }


def test_a_creation_is_read_with_its_region_and_what_is_known_of_it() -> None:
    (table,) = creations(shown("create"))
    assert (table.address, table.type) == (TABLE, "aws_dynamodb_table")
    assert (table.provider, table.region) == ("aws.secondary", "us-west-2")
    assert table.value("name") == "payment-a-payments"
    assert table.value("arn") == ""
    assert table.tags == {"Environment": "a"}
    assert "hunter2" not in repr(table)


def test_nothing_else_is_a_creation() -> None:
    for actions in (("update",), ("create", "delete"), ("delete", "create"), ("no-op",), ("read",)):
        assert creations(shown(*actions)) == ()
