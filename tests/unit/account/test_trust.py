"""Whom the deploy role lets in: one repository's pipelines, or one principal; never everybody."""

import json
from typing import Any

import pytest

from payinfra.account.trust import github, gitlab, principal
from payinfra.core.errors import UsageProblem

ACCOUNT = "123456789012"


def statement(document: str) -> Any:
    (found,) = json.loads(document)["Statement"]
    return found


def test_github_lets_in_pull_requests_and_main_of_one_repository() -> None:
    found = statement(github("our-org/our-repo").document(ACCOUNT))
    assert found["Principal"] == {
        "Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
    }
    assert found["Action"] == ["sts:AssumeRoleWithWebIdentity"]
    assert found["Condition"] == {
        "StringEquals": {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"},
        "StringLike": {
            "token.actions.githubusercontent.com:sub": [
                "repo:our-org/our-repo:pull_request",
                "repo:our-org/our-repo:ref:refs/heads/main",
            ]
        },
    }


def test_gitlab_lets_in_the_branches_of_one_project() -> None:
    trust = gitlab("group/sub/project", "git.example.com")
    found = statement(trust.document(ACCOUNT))
    assert found["Condition"] == {
        "StringEquals": {"git.example.com:aud": "https://git.example.com"},
        "StringLike": {"git.example.com:sub": ["project_path:group/sub/project:ref_type:branch:ref:*"]},
    }
    assert trust.provider_arn(ACCOUNT) == f"arn:aws:iam::{ACCOUNT}:oidc-provider/git.example.com"


def test_which_pipelines_can_be_said() -> None:
    only = statement(github("o/r", ("environment:staging",)).document(ACCOUNT))["Condition"]["StringLike"]
    assert only == {"token.actions.githubusercontent.com:sub": ["repo:o/r:environment:staging"]}
    only = statement(gitlab("g/p", subjects=("ref_type:branch:ref:main",)).document(ACCOUNT))["Condition"]
    assert only["StringLike"] == {"gitlab.com:sub": ["project_path:g/p:ref_type:branch:ref:main"]}


@pytest.mark.parametrize(
    "arn",
    [
        f"arn:aws:iam::{ACCOUNT}:root",
        f"arn:aws:iam::{ACCOUNT}:role/ci/runner",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/runner/session",
    ],
)
def test_a_principal_is_let_in_by_its_arn(arn: str) -> None:
    found = statement(principal(arn).document(ACCOUNT))
    assert (found["Principal"], found["Action"]) == ({"AWS": arn}, ["sts:AssumeRole"])


@pytest.mark.parametrize("arn", ["*", "root", f"arn:aws:iam::{ACCOUNT}:role/*", "arn:aws:iam::1:root"])
def test_everybody_is_not_let_in(arn: str) -> None:
    with pytest.raises(UsageProblem, match="--trust"):
        principal(arn)


@pytest.mark.parametrize("repository", ["our-repo", "*/*", "org/repo:x", "org/*", "-x/y", "a/b/c", 'o/r"'])
def test_a_repository_is_one_repository(repository: str) -> None:
    with pytest.raises(UsageProblem, match="--github"):
        github(repository)


@pytest.mark.parametrize(
    ("project", "host"), [("project", "gitlab.com"), ("g/*", "gitlab.com"), ("g/p", "*")]
)
def test_a_project_is_one_project(project: str, host: str) -> None:
    with pytest.raises(UsageProblem, match="--gitlab"):
        gitlab(project, host)


@pytest.mark.parametrize("subject", ["*", "*:main", "", "a b", "x" * 300])
def test_a_subject_does_not_open_the_repositorys_name(subject: str) -> None:
    with pytest.raises(UsageProblem, match="--subject"):
        github("o/r", (subject,))
