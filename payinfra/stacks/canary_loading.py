"""What a payment of the backend looks like: from the settings, or from a function of the project.

Importing this module loads no code of the project.
"""

from payinfra.core.canary_contract import CanaryContract
from payinfra.core.errors import UsageProblem
from payinfra.core.project_imports import explained, function_from_project, project_imports
from payinfra.core.settings import Settings

_SETTING = "[canary] function"


def canary_of(settings: Settings) -> CanaryContract:
    """The contract that an environment is deployed with.

    A function `contract(settings)` of the project may make it, from `settings.canary` or as a new one. It is
    called once in each synthesis: later, probes and drills read the contract from the environment.

    Raises:
        UsageProblem: there is no such function, it raised (the message names the line), or what it returned
            is no contract, or one that cannot be.
    """
    reference = settings.canary_function
    if reference is None:
        return settings.canary
    with project_imports(settings.project), explained(settings.project):
        made = function_from_project(reference, settings.project, _SETTING, "contract(settings)")(settings)
        if not isinstance(made, CanaryContract):
            raise UsageProblem(
                f"{_SETTING}: {reference} returned a {type(made).__name__}.",
                "Return a payinfra.core.canary_contract.CanaryContract, such as "
                "dataclasses.replace(settings.canary, body=…).",
            )
        try:
            made.check()
        except ValueError as error:
            raise UsageProblem(
                f"{_SETTING}: {reference}: {error}.", "docs/adopt.md says what a contract may have."
            ) from None
        return made
