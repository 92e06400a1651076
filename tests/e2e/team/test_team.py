"""The environments of an account, seen from anywhere; and another API key, without an outage."""

import json
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import Deployment, Project

pytestmark = pytest.mark.usefixtures("measured")

ROLES = ("primary", "secondary")


@pytest.fixture
def elsewhere(tmp_path: Path, deployment: Deployment) -> Project:
    """A folder that deployed nothing; it only knows where the embedded AWS keeps its state."""
    return Project(tmp_path, {"PAYINFRA_WORK_ROOT": str(deployment.project.folder / ".payinfra")})


def test_the_environment_is_found_from_a_folder_that_did_not_deploy_it(elsewhere: Project) -> None:
    done = elsewhere.run("envs", "--local", "--format", "json")
    assert done.returncode == 0, done.stderr
    found = {each["environment"]: each for each in json.loads(done.stdout)["environments"]}["e2e"]
    assert (found["state"], found["protection"], found["lacks"]) == ("complete", "ephemeral", [])
    assert found["regions"] == ["us-east-1", "us-west-2"]
    assert found["age_s"] >= 0
    costs = found["costs"]
    assert (costs["keys"], costs["health checks"], costs["hosted zones"]) == (6, 6, 1)
    assert costs["tables with point-in-time recovery"] == 2


def test_a_dry_run_would_reap_it_and_leaves_it_alone(elsewhere: Project) -> None:
    done = elsewhere.run("reap", "--local", "--older-than", "0m", "--pattern", "e2e", "--format", "json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    fates = {each["environment"]: each["fate"] for each in said["environments"]}
    assert (said["dry_run"], fates["e2e"]) == (True, "stale")
    young = elsewhere.run("reap", "--local", "--yes", "--older-than", "3d", "--pattern", "e2e")
    assert young.returncode == 0, young.stderr
    assert "0 destroyed" in young.stdout


def answers(deployment: Deployment, role: str, key: str) -> int:
    """What the API says to a question with this key: 404 for a payment that is not there, 403 if refused."""
    url = f"{deployment.output('api_endpoint', role)}/00000000-0000-4000-8000-000000000000"
    return httpx.get(url, headers={"x-api-key": key}, timeout=20).status_code


def test_another_api_key_without_an_outage(deployment: Deployment) -> None:
    here = ("--env", deployment.env, "--local", "--format", "json")
    old = deployment.api_key("primary")
    try:
        begun = deployment.project.run("rotate-key", "--yes", *here)
        assert begun.returncode == 0, begun.stderr
        assert json.loads(begun.stdout)["stage"] == "overlap"
        new = deployment.api_key("primary")
        assert new != old
        assert deployment.api_key("secondary") == new
        shown = deployment.project.run("rotate-key", "--status", *here)
        assert json.loads(shown.stdout)["stage"] == "overlap"
        for role in ROLES:
            assert (answers(deployment, role, old), answers(deployment, role, new)) == (404, 404)

        finished = deployment.project.run("rotate-key", "--finish", "--yes", *here)
        assert finished.returncode == 0, finished.stderr
        assert set(json.loads(finished.stdout)["removed"]) == {"us-east-1", "us-west-2"}
        for role in ROLES:
            assert (answers(deployment, role, old), answers(deployment, role, new)) == (403, 404)
    finally:
        # The others that share the deployment read the key's id from here.
        deployment.read_outputs()

    plan = deployment.project.run("plan", *here)
    assert not json.loads(plan.stdout)["has_changes"], plan.stdout
    probed = deployment.project.run("verify", "--only", "LIVE-SSM-*", "--only", "LIVE-API-*", *here)
    assert probed.returncode == 0, probed.stdout

    said = "".join(each.stdout + each.stderr for each in (begun, finished, plan, probed))
    logs = (deployment.project.folder / ".payinfra" / "local" / deployment.env / "logs").glob("*")
    written = said + "".join(log.read_text() for log in logs)
    assert new not in written
    assert old not in written
