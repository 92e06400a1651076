"""Every line of shell in the pages that needs a deployment works as printed, but for the environment's name.

What pages show for AWS is typed with the embedded AWS as the target. A person answers yes to what is asked. A
line that an earlier page had is typed again only if it is a step to one that is new. Evacuations are hurried.
"""

import re
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import DEPLOY, Deployment
from tests.support.page_commands import PageLine, runnable
from tests.support.page_shell import EndedOtherwise, PageShell, left_as_it_was

HERE = runnable(on_a_deployment=True)
IN_A_STORY = re.compile(r"payinfra (local fault|evacuate|return) ")
PROBES = re.compile(r"payinfra .*\b(verify|deploy)\b")
"""The commands that look at alarms, and at how soon something answers."""
HURRY = 10.0


@pytest.fixture(scope="module")
def typed() -> set[str]:
    """What was typed on earlier pages."""
    return set()


@pytest.fixture(scope="module")
def shell(
    request: pytest.FixtureRequest, deployment: Deployment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PageShell]:
    """A shell where the deployment was made. The lines leave that as it was, unless one of them fails."""
    failed = request.session.testsfailed
    with left_as_it_was(deployment.project.folder):
        yield PageShell(deployment.project.folder, tmp_path_factory.mktemp("bin"))
    if request.session.testsfailed > failed:
        deployment.control.clear()
        deployment.project.run(*DEPLOY)
    deployment.calm()


@pytest.mark.parametrize("page", HERE)
def test_its_lines_work_as_they_are_printed(
    page: str, shell: PageShell, deployment: Deployment, typed: set[str]
) -> None:
    says = {line: line.typed(deployment.env).replace(" --local", "") for line in HERE[page]}
    known = set(typed)
    story = {said for said in says.values() if IN_A_STORY.search(said)}
    for line, said in says.items():
        if said in known and (said not in story or story <= known):
            continue
        typed.add(said)
        with deployment.in_a_hurry(HURRY if waits_for_health_checks(line) else 1.0):
            type_it(line, shell, deployment)
    if story or any("failover-drill" in said for said in says.values()):
        deployment.calm()


def type_it(line: PageLine, shell: PageShell, deployment: Deployment) -> None:
    """Type a line. What looks at alarms is typed once more after one rang for what was done before."""
    try:
        shell.type(line, deployment.env)
    except EndedOtherwise as end:
        if end.code != 1 or not PROBES.search(line.text):
            raise
        deployment.calm()
        shell.type(line, deployment.env)


def waits_for_health_checks(line: PageLine) -> bool:
    """Whether a command lasts as long as health checks and name servers need to change their mind."""
    return "payinfra evacuate" in line.text or "payinfra return" in line.text
