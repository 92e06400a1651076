"""Outputs of no deployment, each with a value that says which it is."""

from payinfra.core.outputs import COMMON_OUTPUTS, REGION_OUTPUTS, SECONDARY_PREFIX


def flat_outputs(**given: str) -> dict[str, str]:
    """Every output, flat: `p-NAME` of the primary region and common to both, `s-NAME` of the secondary."""
    return {
        **{name: f"p-{name}" for name in (*REGION_OUTPUTS, *COMMON_OUTPUTS)},
        **{SECONDARY_PREFIX + name: f"s-{name}" for name in REGION_OUTPUTS},
        **given,
    }
