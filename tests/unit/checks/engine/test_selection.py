"""Which checks run."""

import pytest

from payinfra.checks.selection import choose
from payinfra.core.errors import EnvironmentUnusable, UsageProblem

KNOWN = ("PI-S3-001", "PI-S3-002", "PI-LOG-001")


def test_without_options_all_run() -> None:
    assert choose(KNOWN).ids == frozenset(KNOWN)


def test_ids_and_globs_select_and_ignore() -> None:
    chosen = choose(KNOWN, select=["PI-S3-*"], ignore=["PI-S3-002", "PI-LOG-001"])

    assert chosen.ids == {"PI-S3-001"}
    assert chosen.ignored == ("PI-S3-002", "PI-LOG-001")


@pytest.mark.parametrize("wrong", ["PI-S3-003", "nope", "PI-X-*", ""])
def test_an_unknown_id_is_refused_in_either_option(wrong: str) -> None:
    with pytest.raises(UsageProblem, match="There is no check"):
        choose(KNOWN, select=[wrong])
    with pytest.raises(UsageProblem, match="There is no check"):
        choose(KNOWN, ignore=[wrong])


def test_nothing_left_to_run_is_refused() -> None:
    with pytest.raises(EnvironmentUnusable, match="leaves no check"):
        choose(KNOWN, ignore=["*"])
