"""Names and tags of a project's own: every length is checked, and who sets none has the usual ones."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from payinfra.account.arn_patterns import ArnGroup, limits
from payinfra.account.boundary import boundary
from payinfra.account.environments.classify import region_of_health_check
from payinfra.account.environments.model import ResourceKind, TaggedResource
from payinfra.account.scope import PermissionScope
from payinfra.core.errors import UsageProblem
from payinfra.core.naming import Names, Parameter
from payinfra.core.outputs import Outputs
from payinfra.core.settings import Settings
from payinfra.deployment.recovery.every_type import _names
from payinfra.deployment.recovery.identity import Identity
from payinfra.terraform import Creation
from tests.support.outputs import flat_outputs

DOMAIN = {"domain": "acme.com", "hosted_zone_id": "Z0123456789"}


def resolve(tmp_path: Path, toml: str = "", **flags: object) -> Settings:
    (tmp_path / "payinfra.toml").write_text(toml)
    return Settings.resolve({"env": "shop", **flags}, folder=tmp_path, environ={})


def test_who_says_nothing_has_the_usual_names_and_tags(tmp_path: Path) -> None:
    settings = resolve(tmp_path)
    assert settings.names == Names("shop") == Names("shop", "payment")
    assert settings.names.stack == "payment-shop"
    assert list(settings.all_tags) == ["Environment", "EnvironmentSuffix", "Project", "ManagedBy"]


def test_all_names_begin_with_the_prefix(tmp_path: Path) -> None:
    names = resolve(tmp_path, 'name_prefix = "acme"\n').names
    assert names.table == "acme-shop-payments"
    assert names.parameter(Parameter.API_KEY) == "/acme-shop/api-key"
    assert names.own_zone == "acme-shop.internal"
    assert names.state_key == "payinfra/acme-shop/terraform.tfstate"


def test_the_names_that_clients_use_may_be_whole(tmp_path: Path) -> None:
    toml = '[environments.shop]\nfailover_name = "api.acme.com"\nlatency_name = "near.acme.com"\n'
    names = resolve(tmp_path, toml, **DOMAIN).names
    assert names.failover_domain("acme.com") == "api.acme.com"
    assert names.latency_domain("acme.com") == "near.acme.com"
    assert resolve(tmp_path, **DOMAIN).names.failover_domain("acme.com") == "payment-shop-failover.acme.com"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"name_prefix": "Acme"}, "lowercase letters"),
        ({"name_prefix": "acme-"}, "lowercase letters"),
        ({"name_prefix": "payinfra-x"}, "begin with aws or ssm are AWS's"),
        ({"name_prefix": "awsome"}, "begin with aws or ssm are AWS's"),
        ({"name_prefix": "a" * 21}, "use 1 to 20"),
        (
            {"name_prefix": "p" * 20, "env": "e" * 14},
            f"{'e' * 14}-audit-us-east-1-ACCOUNT would be 1 character too long: S3 takes 63",
        ),
        (
            {"name_prefix": "p" * 20, "env": "e" * 9, "secondary_region": "ap-southeast-1"},
            "audit-ap-southeast-1-ACCOUNT would be 1 character too long",
        ),
        ({"failover_name": "api.acme.com"}, "failover-name needs domain and hosted-zone-id"),
        ({"latency_name": "api.acme.com"}, "latency-name needs domain and hosted-zone-id"),
        ({**DOMAIN, "failover_name": "api.acme.org"}, "api.acme.org is not in the domain acme.com"),
        ({**DOMAIN, "failover_name": "api.notacme.com"}, "is not in the domain"),
        (
            {**DOMAIN, "failover_name": "api.acme.com", "latency_name": "api.acme.com"},
            "failover-name and latency-name are both api.acme.com",
        ),
        ({**DOMAIN, "failover_name": f"{'a' * 60}.acme.com"}, "5 characters too long: ACM takes 64"),
        ({"tags": "Team"}, "use NAME=VALUE"),
        ({"tags": "aws:x=y"}, "a name may not begin with aws:"),
        ({"tags": f"{'n' * 129}=y"}, f"the name of the tag '{'n' * 40}' has 129 characters; AWS takes 128"),
        ({"tags": f"n={'v' * 257}"}, "the value of the tag 'n' has 257 characters; AWS takes 256"),
        ({"tags": "project=y"}, "payinfra sets the tag Project itself"),
        ({"tags": "owner=y"}, "payinfra sets the tag Owner itself; set owner"),
        ({"tags": "Team=a,team=b"}, "the tag Team is there twice"),
        ({"tags": ",".join(f"t{n}=v" for n in range(41))}, "41 tags are too many"),
    ],
)
def test_what_is_too_long_or_taken_is_one_message(tmp_path: Path, flags: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        resolve(tmp_path, **flags)
    assert said.lower() in caught.value.what.lower()


def test_the_longest_that_fit_are_taken(tmp_path: Path) -> None:
    names = resolve(tmp_path, name_prefix="p" * 20, env="e" * 13).names
    assert len(names.audit_bucket("us-east-1", "0" * 12)) == 63
    resolve(tmp_path, **DOMAIN, failover_name=f"{'a' * 55}.acme.com")
    resolve(tmp_path, tags=f"{'n' * 128}={'v' * 256}")


def test_tags_are_a_table_or_a_list_of_pairs(tmp_path: Path) -> None:
    table = 'owner = "us"\n[tags]\nTeam = "payments eu"\nTier = "a=b"\n'
    settings = resolve(tmp_path, table)
    assert settings.own_tags == {"Team": "payments eu", "Tier": "a=b"}
    assert settings.all_tags["Owner"] == "us"
    assert settings.all_tags["Team"] == "payments eu"
    assert resolve(tmp_path, table, tags="Team=x").own_tags == {"Team": "x"}
    own = '[tags]\nTeam = "x"\n[environments.shop.tags]\nTier = "1"\n'
    assert resolve(tmp_path, own).own_tags == {"Tier": "1"}
    with pytest.raises(UsageProblem, match="Team must be text"):
        resolve(tmp_path, "[tags]\nTeam = 3\n")


# -- who has no settings, and must know the names all the same ---------------------------------------------


def test_outputs_tell_the_prefix() -> None:
    flat = flat_outputs(environment_suffix="shop", dynamodb_table_name="acme-shop-shop-payments")
    assert Outputs.from_flat(flat).names == Names("shop", "acme-shop")
    assert Identity.of_outputs(Outputs.from_flat(flat)).envs == {"shop"}


def test_a_health_check_tells_its_region_whatever_the_prefix() -> None:
    for prefix in ("payment", "acme-shop"):
        name = Names("shop", prefix).health("us-west-2")
        found = TaggedResource(
            "arn", ResourceKind.HEALTH_CHECK, "", name, {"Environment": "shop", "Name": name}
        )
        assert region_of_health_check(found) == "us-west-2"
        assert region_of_health_check(replace(found, kind=ResourceKind.KEY)) == ""
        assert region_of_health_check(replace(found, tags={"Environment": "other", "Name": name})) == ""


def test_what_is_adopted_tells_the_prefix() -> None:
    for name in ("acme-shop-api", "acme-shop-client", "acme-shop.internal"):
        wanted = Creation(
            "t.x", "t", "aws.primary", "us-east-1", {"name": name, "tags_all": {"Environment": "shop"}}
        )
        assert _names(wanted) == Names("shop", "acme")


def test_roles_of_the_account_are_for_the_prefix_and_the_whole_names() -> None:
    reach = PermissionScope("123456789012", ("us-east-1", "us-west-2"), prefix="acme")
    assert limits(ArnGroup.FUNCTIONS, reach).resources[0].endswith(":function:acme-*-payments")
    whole = replace(
        reach, domain="acme.com", hosted_zone_id="Z1", failover_name="api.acme.com", latency_name="n.acme.com"
    )
    (names,) = limits(ArnGroup.RECORDS, whole).conditions["ForAllValues:StringLike"].values()
    assert names == ("api.acme.com", "n.acme.com", "*.api.acme.com", "*.n.acme.com")
    assert "table/acme-*-payments" in boundary("123456789012", "acme").document
