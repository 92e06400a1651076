"""The deployment on which the pages' lines are typed."""

from tests.e2e.conftest import deployment

__all__ = ["deployment"]
