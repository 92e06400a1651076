"""A state that is lost is told from a first deployment, also from one that was cut off."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from payinfra.account.environments.model import TaggedResource
from payinfra.account.environments.tagged_resources import resource
from payinfra.core.errors import EnvironmentUnusable, ExitCode, GateFailed
from payinfra.core.settings import Settings
from payinfra.deployment.recovery.apply_log import ApplyLog
from payinfra.deployment.recovery.lost_state import StateGuard
from payinfra.terraform import Kept
from tests.support.outputs import flat_outputs

ACCOUNT = "000000000000"
TABLE = resource(f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/payment-a-payments", {}, "us-east-1")
KEY = resource("arn:aws:apigateway:us-east-1::/apikeys/k", {}, "us-east-1")
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def state(env: str = "a", account: str = ACCOUNT) -> str:
    attributes = {"arn": f"arn:aws:kms:us-east-1:{account}:key/k", "tags_all": {"Environment": env}}
    key = {"mode": "managed", "type": "aws_kms_key", "name": "k", "instances": [{"attributes": attributes}]}
    return json.dumps({"resources": [key]})


def kept(env: str = "a") -> Kept:
    return Kept("a.b", "a", "aws", tainted=False, attributes={"tags_all": {"Environment": env}})


@dataclass
class Site:
    """A work folder, and what exists in the account."""

    guard: StateGuard
    there: list[TaggedResource] = field(default_factory=list)
    looks: int = 0
    remote: tuple[Kept, ...] = ()

    def resources(self) -> tuple[Kept, ...]:
        return self.remote

    def existing(self) -> list[TaggedResource]:
        self.looks += 1
        return self.there

    def write(self, name: str, text: str) -> None:
        (self.guard.settings.work_dir / name).write_text(text)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Site]:
    def made(**flags: object) -> Site:
        settings = Settings.resolve({"env": "a", "target": "local", **flags}, folder=tmp_path, environ={})
        settings.work_dir.mkdir(parents=True, exist_ok=True)
        journal, outputs = ApplyLog(settings.work_dir / "applied.json"), settings.work_dir / "outputs.json"
        sites: list[Site] = []
        guard = StateGuard(settings, journal, outputs, lambda: ACCOUNT, lambda: sites[0].existing())
        sites.append(Site(guard))
        return sites[0]

    return made


@pytest.fixture
def site(make: Callable[..., Site]) -> Site:
    return make()


def refused(site: Site) -> EnvironmentUnusable:
    with pytest.raises(EnvironmentUnusable) as caught:
        site.guard.require_known(site)
    assert caught.value.exit_code is ExitCode.UNUSABLE_ENVIRONMENT
    return caught.value


# -- an empty state ----------------------------------------------------------------------------------


def test_a_first_deployment_finds_nothing_and_goes_on(site: Site) -> None:
    site.guard.require_known(site)
    assert site.looks == 1


def test_an_environment_that_exists_without_a_state_is_refused(site: Site) -> None:
    site.there = [TABLE]
    said = refused(site)
    assert "Environment a exists" in said.what
    assert TABLE.arn in said.what
    assert "`payinfra adopt --env a --local`" in said.hint


@pytest.mark.parametrize("empty", ["", " \n", '{"resources": []}', "{}"])
def test_an_empty_state_is_as_good_as_none(site: Site, empty: str) -> None:
    site.write("terraform.tfstate", empty)
    site.there = [TABLE]
    refused(site)


def test_many_resources_are_counted(site: Site) -> None:
    site.there = [
        resource(f"arn:aws:sns:us-east-1:{ACCOUNT}:t-{number}", {}, "us-east-1") for number in range(7)
    ]
    assert "t-4 and 2 more" in refused(site).what
    site.there.append(TABLE)
    assert f"There are: {TABLE.arn}, " in refused(site).what, "what says most comes first"


def test_a_state_that_knows_of_something_needs_no_look(site: Site) -> None:
    site.write("terraform.tfstate", state())
    site.guard.require_known(site)
    assert site.looks == 0


def test_a_state_that_a_killed_run_saves_only_now_counts(site: Site) -> None:
    site.remote, site.there = (kept(),), [TABLE]
    site.guard.require_known(site)


def test_terraform_is_not_started_where_nothing_exists(site: Site) -> None:
    site.remote = (kept("b"),)  # would be refused
    site.guard.require_known(site)


def test_api_keys_alone_are_no_environment(site: Site) -> None:
    site.there = [KEY]
    site.guard.require_known(site)


def test_a_state_in_a_bucket_is_asked_of_terraform(make: Callable[..., Site]) -> None:
    site = make(state_bucket="b-1")
    site.write("terraform.tfstate", state())
    site.there = [TABLE]
    said = refused(site)
    assert "s3://b-1/payinfra/payment-a/terraform.tfstate" in said.what
    assert "`payinfra adopt --env a --local --state-bucket b-1`" in said.hint, "not into another state"
    site.remote = (kept("b"),)
    assert "is not of environment a but of b" in refused(site).what
    assert make(state_bucket="b-1", state_key="k/s").guard.place == "s3://b-1/k/s"


# -- a first deployment that was cut off -------------------------------------------------------------


def test_a_first_deployment_that_was_cut_off_goes_on(site: Site) -> None:
    site.guard.journal.begin(NOW)
    site.there = [TABLE]
    site.guard.require_known(site)
    assert site.looks == 0


def test_an_update_that_was_cut_off_before_the_state_was_lost_is_no_first_deployment(site: Site) -> None:
    site.guard.journal.begin(NOW)
    site.guard.journal.end()
    site.guard.journal.begin(NOW)
    site.there = [TABLE]
    refused(site)


def test_outputs_say_that_it_was_whole_once(site: Site) -> None:
    """A journal of an earlier payinfra does not say whether an apply ended well."""
    site.guard.journal.begin(NOW)
    site.write("outputs.json", "{}")
    site.there = [TABLE]
    refused(site)


def test_outputs_of_what_is_gone_keep_nobody_from_deploying(site: Site) -> None:
    site.write("outputs.json", json.dumps(flat_outputs()))
    site.guard.require_known(site)


def test_an_adoption_that_did_not_end_is_finished_first(site: Site) -> None:
    site.write("terraform.tfstate", state())
    site.guard.adopting.touch()
    said = refused(site)
    assert "did not end" in said.what
    assert "payinfra adopt" in said.hint


# -- somebody else's ---------------------------------------------------------------------------------


def test_ones_own_files_are_let_through(site: Site) -> None:
    site.guard.require_own(ACCOUNT)
    site.write("terraform.tfstate", state())
    site.write("outputs.json", json.dumps(flat_outputs(dynamodb_table_name="payment-a-payments")))
    site.guard.require_own(ACCOUNT)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("terraform.tfstate", state(env="b")),
        ("terraform.tfstate", state(account="123456789012")),
        ("outputs.json", json.dumps(flat_outputs(dynamodb_table_name="payment-b-payments"))),
        (
            "outputs.json",
            json.dumps(flat_outputs(dynamodb_table_arn="arn:aws:dynamodb:r:123456789012:table/t")),
        ),
    ],
)
def test_a_copied_folder_is_refused(site: Site, name: str, text: str) -> None:
    site.write(name, text)
    with pytest.raises(EnvironmentUnusable, match=name):
        site.guard.require_own(ACCOUNT)


def test_a_damaged_state_is_said_with_the_way_out(site: Site) -> None:
    site.write("terraform.tfstate", '{"resources": [')
    with pytest.raises(EnvironmentUnusable, match="is damaged") as caught:
        site.guard.require_own(ACCOUNT)
    assert "payinfra adopt" in caught.value.hint


# -- where it serves, and what is left ---------------------------------------------------------------


def health_check(region: str) -> TaggedResource:
    tags = {"Environment": "a", "Name": f"payment-a-health-{region}"}
    return resource(f"arn:aws:route53:::healthcheck/{region}", tags, "us-east-1")


def test_an_environment_is_adopted_in_the_regions_that_it_serves_in(site: Site) -> None:
    site.there = [TABLE, health_check("us-east-1"), health_check("us-west-2")]
    assert site.guard.existing_here() == site.there
    site.there = [health_check("eu-west-1"), health_check("us-west-2")]
    with pytest.raises(EnvironmentUnusable, match="serves in eu-west-1 and us-west-2") as caught:
        site.guard.existing_here()
    assert "--primary-region" in caught.value.hint


def test_what_is_left_after_a_destruction_fails_it(site: Site) -> None:
    site.guard.require_gone(())
    with pytest.raises(GateFailed, match="1 resources under its name or tags are left") as caught:
        site.guard.require_gone([TABLE])
    assert TABLE.arn in caught.value.what
    assert "payinfra adopt" in caught.value.hint
    assert caught.value.exit_code is ExitCode.GATE_FAILED
