import os

import pytest

from payinfra.terraform.environment import hide, ignored_arguments, scrubbed, secrets, with_access_key


@pytest.mark.parametrize(
    "name",
    [
        "TF_CLI_ARGS",
        "TF_CLI_ARGS_plan",
        "TF_WORKSPACE",
        "TF_REATTACH_PROVIDERS",
        "TF_CLI_CONFIG_FILE",
        "TF_DATA_DIR",
    ],
)
def test_what_would_change_terraforms_work_is_kept_from_it(name: str) -> None:
    assert name not in scrubbed({name: "x"}, {})


def test_the_rest_reaches_terraform() -> None:
    caller = {"AWS_PROFILE": "team", "TF_LOG": "DEBUG", "TF_PLUGIN_CACHE_DIR": "/cache", "PATH": "/bin"}
    assert scrubbed(caller, {}).items() >= caller.items()


def test_terraform_is_told_that_nobody_sits_there() -> None:
    found = scrubbed({"TF_IN_AUTOMATION": "", "TF_INPUT": "1"}, {"TF_DATA_DIR": "/data"})
    assert found == {
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "CHECKPOINT_DISABLE": "1",
        "GOGC": "400",
        "TF_DATA_DIR": "/data",
    }


def test_a_person_may_tune_the_garbage_collector() -> None:
    assert scrubbed({"GOGC": "50"}, {})["GOGC"] == "50"


def test_arguments_that_are_not_used_are_named() -> None:
    caller = {"TF_CLI_ARGS_plan": "-target=x", "TF_WORKSPACE": "blue", "TF_CLI_ARGS": "", "TF_LOG": "x"}
    assert ignored_arguments(caller) == ("TF_CLI_ARGS_plan", "TF_WORKSPACE")


def test_credentials_are_hidden_but_not_the_emulators_test() -> None:
    values = secrets({"AWS_SECRET_ACCESS_KEY": "abcdefgh12345678", "AWS_SESSION_TOKEN": "test"})
    assert values == ("abcdefgh12345678",)
    assert hide("denied for abcdefgh12345678, test", values) == "denied for (hidden), test"


def test_an_access_key_takes_the_place_of_all_by_which_the_callers_would_be_found() -> None:
    caller = {
        "PATH": "/bin",
        "AWS_PROFILE": "production",
        "AWS_SESSION_TOKEN": "t",
        "AWS_ENDPOINT_URL": "http://elsewhere",
        "AWS_ROLE_ARN": "arn",
    }
    assert with_access_key(caller, "AKIA", "secret-of-the-folder") == {
        "PATH": "/bin",
        "AWS_ACCESS_KEY_ID": "AKIA",
        "AWS_SECRET_ACCESS_KEY": "secret-of-the-folder",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    assert secrets(with_access_key(caller, "AKIA", "secret-of-the-folder")) == ("secret-of-the-folder",)
