"""Who may assume the deploy role: a repository's pipelines by OpenID Connect, or an AWS principal."""

import re
from dataclasses import dataclass
from typing import Protocol

from payinfra.core.errors import UsageProblem
from payinfra.stacks.iam_documents import StatementProps, document

GITHUB = "token.actions.githubusercontent.com"
GITHUB_AUDIENCE = "sts.amazonaws.com"
"""The audience that aws-actions/configure-aws-credentials requests."""


_REPOSITORY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})/[A-Za-z0-9._-]{1,100}")
_PROJECT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)+")
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_SUBJECT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_:./*-]{0,250}")
_PRINCIPAL = re.compile(
    r"arn:aws:(iam|sts)::[0-9]{12}:(root|(role|user|assumed-role)/[A-Za-z0-9+=,.@_/-]{1,576})"
)


class Trust(Protocol):
    """Who may assume a role."""

    def document(self, account: str) -> str:
        """The role's trust policy."""


@dataclass(frozen=True)
class Pipelines:
    """Pipelines of one repository, by OpenID Connect tokens of its host.

    Attributes:
        host: the issuer, without `https://`.
        audience: the required audience of the token.
        subjects: patterns of the token's `sub`, with `*` for anything.
    """

    host: str
    audience: str
    subjects: tuple[str, ...]

    def document(self, account: str) -> str:
        """The role's trust policy."""
        return document(
            StatementProps(
                "Pipelines",
                ("sts:AssumeRoleWithWebIdentity",),
                principal={"Federated": self.provider_arn(account)},
                condition={
                    "StringEquals": {f"{self.host}:aud": self.audience},
                    "StringLike": {f"{self.host}:sub": self.subjects},
                },
            )
        )

    def provider_arn(self, account: str) -> str:
        """The identity provider that the account needs."""
        return f"arn:aws:iam::{account}:oidc-provider/{self.host}"


@dataclass(frozen=True)
class TrustedPrincipal:
    """A principal of AWS: an account, a role or a user, by ARN."""

    arn: str

    def document(self, account: str) -> str:
        """The role's trust policy."""
        del account
        return document(StatementProps("Principal", ("sts:AssumeRole",), principal={"AWS": self.arn}))


def github(repository: str, subjects: tuple[str, ...] = ()) -> Pipelines:
    """A repository's workflows: for pull requests and on the branch `main`, or for `subjects`.

    A fork's pull request gets no token (GitHub's documentation, "OpenID Connect reference").

    Args:
        repository: ORG/REPO.
        subjects: what follows the repository in a token's `sub`, such as `environment:staging`.

    Raises:
        UsageProblem: an argument is malformed.
    """
    _check(_REPOSITORY, repository, "--github", "ORG/REPO")
    which = _subjects(subjects or ("pull_request", "ref:refs/heads/main"))
    return Pipelines(GITHUB, GITHUB_AUDIENCE, tuple(f"repo:{repository}:{one}" for one in which))


def gitlab(project: str, host: str = "gitlab.com", subjects: tuple[str, ...] = ()) -> Pipelines:
    """A project's pipelines: of all its branches, which merge requests have too, or for `subjects`.

    Args:
        project: GROUP/PROJECT.
        host: the GitLab that it is on, which the audience names too.
        subjects: what follows the project in a token's `sub`, such as `ref_type:branch:ref:main`.

    Raises:
        UsageProblem: an argument is malformed.
    """
    _check(_PROJECT, project, "--gitlab", "GROUP/PROJECT")
    _check(_HOST, host, "--gitlab-host", "a host's name")
    which = _subjects(subjects or ("ref_type:branch:ref:*",))
    return Pipelines(host, f"https://{host}", tuple(f"project_path:{project}:{one}" for one in which))


def principal(arn: str) -> TrustedPrincipal:
    """An account, a role, a user or a session of AWS.

    Raises:
        UsageProblem: it is not such an ARN.
    """
    _check(_PRINCIPAL, arn, "--trust", "an ARN such as arn:aws:iam::123456789012:role/deployer")
    return TrustedPrincipal(arn)


def _subjects(subjects: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse a subject that begins with `*`: it would match other repositories."""
    for one in subjects:
        _check(_SUBJECT, one, "--subject", "letters, digits and _ : . / * -, not beginning with *")
    return subjects


def _check(shape: re.Pattern[str], value: str, flag: str, wanted: str) -> None:
    if not shape.fullmatch(value):
        raise UsageProblem(f"{flag} {value[:80]!r} is not {wanted}.", f"Give {flag} {wanted}.")
