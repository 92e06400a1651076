"""A real Terraform, with the real provider's schema, agrees with what is synthesized."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from payinfra.terraform import Terraform, find_binary
from payinfra.terraform.jsonvalue import at, members

SYNTHESIZE = """
import sys
from pathlib import Path
from payinfra import stacks
from payinfra.stacks import cdktf_bindings
from payinfra.core.settings import Settings
cdktf_bindings.prepare()
settings = Settings.resolve({}, folder=Path(sys.argv[1]))
print(stacks.synthesize(settings, out=settings.work_dir / "synth"))
"""
WITHOUT_DOMAIN = {"PAYINFRA_ENV": "pr123"}
WITH_DOMAIN = {
    "PAYINFRA_ENV": "prod",
    "PAYINFRA_PRIMARY_REGION": "eu-west-1",
    "PAYINFRA_DOMAIN": "pay.example.com",
    "PAYINFRA_HOSTED_ZONE_ID": "Z0123456789ABC",
    "PAYINFRA_ALARM_EMAIL": "oncall@example.com",
    "PAYINFRA_OBJECT_LOCK_DAYS": "30",
    "PAYINFRA_RESERVED_CONCURRENCY": "50",
}


def initialised(variables: Mapping[str, str], folder: Path) -> Terraform:
    """A Terraform in the folder of a stack that was synthesized in a process of its own."""
    command = [sys.executable, "-c", SYNTHESIZE, str(folder)]
    run = subprocess.run(
        command, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    terraform = Terraform(
        binary=find_binary(),
        folder=Path(run.stdout.splitlines()[-1]),
        data_dir=folder / "terraform",
        log=folder / "terraform.log",
        environment=os.environ,
    )
    terraform.init()
    return terraform


def test_the_stack_is_valid(tmp_path: Path) -> None:
    assert initialised(WITHOUT_DOMAIN, tmp_path).validate() == ()


def test_the_stack_with_every_switch_is_valid_and_all_that_takes_tags_gets_them(tmp_path: Path) -> None:
    terraform = initialised(WITH_DOMAIN, tmp_path)
    assert terraform.validate() == ()
    stack = json.loads((terraform.folder / "cdk.tf.json").read_text(encoding="utf-8"))
    (provider,) = members(terraform.providers_schema(), "provider_schemas").values()
    resources = members(provider, "resource_schemas")
    taggable = [one for one in stack["resource"] if at(resources, one, "block", "attributes", "tags_all")]
    assert len(taggable) > 10
    # The provider gives its default tags to every type that has `tags_all`: they are set on each alias.
    assert all(alias["default_tags"][0]["tags"] for alias in stack["provider"]["aws"])
