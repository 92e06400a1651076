"""With names and tags of one's own the stack is the same, under those names."""

import json
from pathlib import Path

from payinfra import stacks
from payinfra.core.settings import Settings
from payinfra.stacks import cdktf_bindings
from tests.synth.stacks.conftest import VARIANTS


def text_of(tmp_path: Path, **more: object) -> str:
    cdktf_bindings.prepare()
    settings = Settings.resolve(
        {**VARIANTS["protected"], "work_root": Path("work"), **more}, folder=tmp_path, environ={}
    )
    return (stacks.synthesize(settings, out=tmp_path / "out") / "cdk.tf.json").read_text()


def test_another_prefix_and_nothing_else(tmp_path: Path) -> None:
    usual = text_of(tmp_path)
    assert text_of(tmp_path, name_prefix="acme") == usual.replace("payment-prod", "acme-prod")


def test_whole_names_are_in_records_certificates_and_outputs(tmp_path: Path) -> None:
    names = {"failover_name": "api.pay.example.com", "latency_name": "near.pay.example.com"}
    content = json.loads(text_of(tmp_path, **names))
    assert content["output"]["failover_domain"]["value"] == names["failover_name"]
    certificates = content["resource"]["aws_acm_certificate"].values()
    assert {one["domain_name"] for one in certificates} == {names["failover_name"]}
    assert {tuple(one["subject_alternative_names"]) for one in certificates} == {(names["latency_name"],)}
    assert "payment-prod-failover." not in json.dumps(content)


def test_own_tags_are_on_everything(tmp_path: Path) -> None:
    content = json.loads(text_of(tmp_path, tags="Team=payments,Tier=1"))
    for provider in content["provider"]["aws"]:
        (tags,) = provider["default_tags"]
        assert (tags["tags"]["Team"], tags["tags"]["Tier"], tags["tags"]["Owner"]) == (
            "payments",
            "1",
            "payments",
        )
    assert json.loads(content["output"]["declared"]["value"])["tags"]["Team"] == "payments"
