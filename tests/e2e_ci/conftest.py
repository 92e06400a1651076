"""An account on the embedded AWS, prepared as an operator would, and the role that CI works as."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from payinfra.core.naming import CI_ROLE
from tests.support import embedded
from tests.support.project import Done, Project

ENV = "pr7"
OPERATOR = "arn:aws:iam::000000000000:root"
BOUNDARY = "arn:aws:iam::000000000000:policy/payinfra-boundary"
ROLE = f"arn:aws:iam::000000000000:role/{CI_ROLE}"


@dataclass(frozen=True)
class Account:
    """The project of a pull request, in an account that has what it needs."""

    project: Project

    def as_ci(self, command: str, *more: str) -> Done:
        """A command on the pull request's environment, run as CI runs it: as the role, without a person."""
        return self.project.run(command, "--env", ENV, "--local", "--assume-role", ROLE, *more)

    def ci_role(self) -> Done:
        """Make the role what it should be."""
        who = ("--trust", OPERATOR, "--boundary", BOUNDARY)
        return self.project.run("ci-role", "--local", *who, "--deploy", "--format", "json")

    @contextmanager
    def without(self, sid: str, action: str) -> Iterator[None]:
        """The role lacks an action of a statement; afterwards it is what it was."""
        iam = self._iam()
        arn, document = self._policy(iam, sid)
        for statement in document["Statement"]:
            if statement["Sid"] == sid:
                statement["Action"].remove(action)
        document["Statement"] = [each for each in document["Statement"] if each["Action"]]
        for version in iam.list_policy_versions(PolicyArn=arn)["Versions"]:
            if not version["IsDefaultVersion"]:  # IAM keeps five at most
                iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(document), SetAsDefault=True)
        try:
            yield
        finally:
            mended = self.ci_role()
            assert json.loads(mended.stdout)["changes"] == [f"change policy {arn.rpartition('/')[2]}"]

    def outputs(self) -> dict[str, str]:
        """What the latest deployment put where."""
        found: dict[str, str] = json.loads(
            (self.project.folder / "cfn-outputs" / "flat-outputs.json").read_text()
        )
        return found

    def api_key(self, region: str) -> str:
        """The API key that a region's parameter holds, as an operator reads it."""
        parameter = embedded.client(self.project.server, "ssm", region).get_parameter(
            Name=self.outputs()["api_key_parameter"], WithDecryption=True
        )
        return str(parameter["Parameter"]["Value"])

    def answers(self, key: str) -> list[int]:
        """What both APIs say to this key: 404 to a question for no payment, 403 where they refuse the key."""
        urls = (self.outputs()[name] for name in ("api_endpoint", "secondary_api_endpoint"))
        asked = (f"{url}/00000000-0000-4000-8000-000000000000" for url in urls)
        return [httpx.get(url, headers={"x-api-key": key}, timeout=20).status_code for url in asked]

    def _iam(self) -> Any:
        return embedded.client(self.project.server, "iam")

    @staticmethod
    def _policy(iam: Any, sid: str) -> tuple[str, Any]:
        for one in iam.list_attached_role_policies(RoleName=CI_ROLE)["AttachedPolicies"]:
            arn = one["PolicyArn"]
            version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
            document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
            if sid in {each["Sid"] for each in document["Statement"]}:
                return arn, document
        raise AssertionError(f"no policy of {CI_ROLE} has a statement {sid}")


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    bounded = {"PAYINFRA_PERMISSIONS_BOUNDARY": BOUNDARY}
    made = Account(Project(tmp_path_factory.mktemp("ci"), bounded))
    try:
        yield made
    finally:
        made.project.run("destroy", "--env", ENV, "--local", "--yes")
        made.project.run("local", "down")
