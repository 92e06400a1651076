"""Indexes of a project's own beside payinfra's two."""

import json
from pathlib import Path

import pytest

from payinfra import stacks
from payinfra.core.errors import UsageProblem
from payinfra.core.settings import Settings
from payinfra.stacks import cdktf_bindings

OWN = """
[table]
attributes = { merchant_id = "S", batch = "N" }
[table.indexes]
merchant-index = "merchant_id:timestamp"
batch-index = "batch"
"""


def settings(tmp_path: Path, toml: str) -> Settings:
    (tmp_path / "payinfra.toml").write_text(toml)
    return Settings.resolve({"env": "shop"}, folder=tmp_path, environ={})


def test_they_are_in_the_table_and_declared(tmp_path: Path) -> None:
    cdktf_bindings.prepare()
    folder = stacks.synthesize(settings(tmp_path, OWN), out=tmp_path / "out")
    content = json.loads((folder / "cdk.tf.json").read_text())
    (table,) = content["resource"]["aws_dynamodb_table"].values()
    indexes = {
        one["name"]: (one["hash_key"], one.get("range_key")) for one in table["global_secondary_index"]
    }
    assert indexes == {
        "status-index": ("status", "timestamp"),
        "customer-index": ("customer_id", "timestamp"),
        "merchant-index": ("merchant_id", "timestamp"),
        "batch-index": ("batch", None),
    }
    types = {one["name"]: one["type"] for one in table["attribute"]}
    assert (types["merchant_id"], types["batch"], types["timestamp"]) == ("S", "N", "N")
    assert json.loads(content["output"]["declared"]["value"])["table"]["indexes"] == list(indexes)
    policy = content["resource"]["aws_iam_role_policy"]["primary_service_policy"]["policy"]
    assert "/index/*" in policy


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('indexes = ["status-index=x"]', "status-index is payinfra's own"),
        ('indexes = ["a-index=status", "a-index=status"]', "a-index is there twice"),
        ('indexes = ["a-index=shop"]', "shop has no type; name it in attributes"),
        ('attributes = ["shop=S"]', "shop is the key of no index"),
        ('attributes = ["status=S"]', "status is payinfra's own"),
        ('attributes = ["a=S", "a=N"]', "a is there twice"),
        ('attributes = ["shop=TEXT"]', "use NAME=TYPE"),
        ('indexes = ["a-index=status:status"]', "a-index has status as both of its keys"),
        ('indexes = ["x"]', "use NAME=PARTITION:SORT"),
        (f"indexes = {json.dumps([f'index-{n}=status' for n in range(19)])}", "19 are too many"),
    ],
)
def test_what_collides_or_lacks_something_is_one_message(tmp_path: Path, toml: str, said: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        settings(tmp_path, f"[table]\n{toml}\n")
    assert said in caught.value.what
