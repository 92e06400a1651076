"""A few of the blows of `make chaos`, always the same ones, on the deployment that tests share."""

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Deployment
from tests.support.chaos.environment import Struck
from tests.support.chaos.kills import kill, struck_by
from tests.support.chaos.ledger import Trial
from tests.support.chaos.races import PAIRS, race
from tests.support.chaos.truncations import damaged_by, truncation

ALONE = "files of the embedded AWS"
"""Blows that stop the embedded AWS, which other tests use: only `make chaos` strikes them."""
TRUNCATIONS = [number for number in range(40) if damaged_by(number) != ALONE][:8]
KILLS = [number for number in range(40) if struck_by(number) in ("restoration", "deployment")][:3]
RACES = [PAIRS.index(pair) for pair in (("deploy", "restore"), ("restore", "restore"))]


@pytest.fixture(scope="module")
def env(deployment: Deployment) -> Iterator[Struck]:
    """The environment, which is afterwards as it was."""
    deployment.calm()
    yield Struck(deployment.project, deployment.env)
    deployment.calm()


def survived(trial: Trial) -> None:
    assert trial.problems == (), f"{trial.what}: {trial.how}"


@pytest.mark.parametrize("number", TRUNCATIONS)
def test_a_damaged_file_hides_nothing_and_breaks_nothing(env: Struck, number: int) -> None:
    survived(truncation(env, number))


@pytest.mark.parametrize("number", KILLS)
def test_what_is_cut_off_converges(env: Struck, number: int) -> None:
    survived(kill(env, number))


@pytest.mark.parametrize("number", RACES)
def test_of_two_at_once_one_works_and_the_other_says_who(env: Struck, number: int) -> None:
    survived(race([env], number))
