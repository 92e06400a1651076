"""The payments function in each region."""

from payinfra.checks.probes.model import ProbeContext, RegionUnderTest, all_of, differences, paired, regional
from payinfra.checks.verdicts import Severity, Verdicts
from payinfra.clients.aws_errors import NotYet

_REDEPLOY = "Deploy again: the function was changed outside Terraform."


@regional(
    "LIVE-FN-001",
    title="The function is active and configured as declared",
    severity=Severity.HIGH,
    risk="Payments fail or time out under a load that the declared function bears.",
    fix=_REDEPLOY,
    within_s=20,
)
def function_is_as_declared(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """Lambda: GetFunctionConfiguration."""
    declared = site.declared.function
    found = live.aws.functions(site.region).get_function_configuration(
        FunctionName=declared.name, Qualifier=declared.alias
    )
    state, update = found.get("State"), found.get("LastUpdateStatus")
    if state == "Pending" or update == "InProgress":
        raise NotYet(f"the function is {state}, its last update {update}")
    return all_of(
        differences(
            (
                ("state", state, "Active"),
                ("last update", update, "Successful"),
                ("runtime", found.get("Runtime"), declared.runtime),
                *(
                    (("architecture", found.get("Architectures"), [declared.architecture]),)
                    if declared.architecture
                    else ()
                ),
                ("handler", found.get("Handler"), declared.handler),
                ("memory in MB", found.get("MemorySize"), declared.memory_mb),
                ("time-out in s", found.get("Timeout"), declared.timeout_s),
                ("key", found.get("KMSKeyArn"), site.declared.keys.application),
                ("role", found.get("Role"), declared.role_arn),
            )
        )
    )


@regional(
    "LIVE-FN-002",
    title="The function's reserved concurrency is as declared, and not 0",
    severity=Severity.CRITICAL,
    risk="With a concurrency of 0 every payment is refused with a 5xx.",
    fix=_REDEPLOY,
)
def function_may_run(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """Lambda: GetFunctionConcurrency."""
    declared = site.declared.function
    found = live.aws.functions(site.region).get_function_concurrency(FunctionName=declared.name)
    return all_of(
        differences(
            (
                (
                    "reserved concurrency",
                    found.get("ReservedConcurrentExecutions"),
                    declared.reserved_concurrency,
                ),
            )
        )
    )


@paired(
    "LIVE-FN-003",
    title="Both regions run the code that was deployed",
    severity=Severity.HIGH,
    risk="A failover changes what the API does.",
    fix=_REDEPLOY,
)
def same_code_in_both_regions(live: ProbeContext) -> Verdicts:
    """Lambda: GetFunctionConfiguration of the alias that the API calls."""
    return all_of(
        phrase
        for site in live.sites
        for phrase in differences(
            (
                (
                    f"the code's SHA-256 in {site.region}",
                    live.aws.functions(site.region)
                    .get_function_configuration(
                        FunctionName=site.declared.function.name, Qualifier=site.declared.function.alias
                    )
                    .get("CodeSha256"),
                    site.declared.function.code_sha256,
                ),
            )
        )
    )
