"""The results of the stages, as tables and as JSON."""

from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from payinfra.core.outputs import FOR_REHEARSALS
from payinfra.deployment.results import Adopted, Deployed, Destroyed, Synthesized, headline
from payinfra.deployment.stack_manifest import service_of
from payinfra.report.documents import document
from payinfra.report.findings.counts import counted
from payinfra.report.findings.table import listed
from payinfra.report.formats import Format, PlanFormat
from payinfra.report.plan import plan_document, planned
from payinfra.report.results import UnfoldedLines, next_commands, table, write, write_json

if TYPE_CHECKING:
    from payinfra.core.outputs import Outputs, RegionOutputs
    from payinfra.core.settings import Settings


def synthesized(console: Console, result: Synthesized, fmt: Format) -> None:
    """Resources by service and region."""
    inventory = result.inventory
    if fmt is Format.JSON:
        write_json(
            console,
            document(
                "stack",
                {
                    "folder": str(result.folder),
                    "total": inventory.total,
                    "resources": [
                        {"service": service, "region": region, "count": count}
                        for (service, region), count in sorted(inventory.counts.items())
                    ],
                },
            ),
        )
        return
    rows = [
        (service, *(str(inventory.counts.get((service, region), "")) for region in inventory.regions))
        for service in inventory.services
    ]
    write(
        console,
        table(("service", *inventory.regions), rows),
        Text(f"{inventory.total} resources in {result.folder / 'cdk.tf.json'}"),
    )


def deployed(console: Console, result: Deployed, settings: "Settings", fmt: Format) -> None:
    """What is where after a deployment, and what to try next."""
    outputs = result.outputs
    if fmt is Format.JSON:
        write_json(
            console,
            document(
                "deployment",
                {
                    "environment": settings.env,
                    "target": settings.target,
                    "plan": plan_document(result.plan),
                    "outputs": outputs.to_flat(),
                    "payments": [
                        {
                            "written_in": proof.written_in,
                            "read_in": proof.read_in,
                            "payment_id": proof.payment_id,
                            "lag_s": round(proof.lag_s, 3),
                        }
                        for proof in result.proofs
                    ],
                    "verified": {
                        kind.value: number for kind, number in result.verified.summary.counts.items()
                    },
                    "seconds": round(result.seconds, 1),
                },
            ),
        )
        return
    paid = [
        f"Payment {proof.payment_id}, sent through {proof.written_in}, was read in {proof.read_in} "
        f"after {proof.lag_s:.2f} s."
        for proof in result.proofs
    ]
    changed = "nothing to change" if not result.plan.has_changes else headline(result.plan)
    write(
        console,
        *(
            _where(region, role)
            for region, role in zip(outputs.regions, ("primary", "secondary"), strict=True)
        ),
        Text(f"Failover name: {outputs.failover_domain}"),
        *(() if settings.domain else (Text(FOR_REHEARSALS),)),
        Text(""),
        *(Text(line) for line in paid),
        # What is no reason to fail, such as an address that nobody has confirmed yet, is still to be done.
        *listed(result.verified.findings),
        *(Text(line) for line in counted(result.verified)),
        Text(f"Environment {settings.env}: {changed}, in {result.seconds:.0f} s."),
        Text("\nNext:"),
        next_commands(
            (
                (settings.command("verify"), "whether it still works, region by region"),
                (settings.command("pay"), "send a payment of your own"),
                (settings.command("outputs"), "everything that was deployed, by name"),
                (settings.command("plan"), "what another deployment would change"),
                (settings.command("destroy"), "delete it all"),
                *((("payinfra local status", "the embedded AWS"),) if settings.is_local else ()),
            )
        ),
    )


def destroyed(console: Console, result: Destroyed, settings: "Settings", fmt: Format) -> None:
    """What a destruction deleted."""
    if fmt is Format.JSON:
        write_json(
            console,
            document(
                "destruction",
                {
                    "environment": settings.env,
                    "destroyed": result.plan.destroy,
                    "seconds": round(result.seconds, 1),
                },
            ),
        )
        return
    gone, seconds = result.plan.destroy, result.seconds
    done = f": {gone} resources destroyed in {seconds:.0f} s." if gone else " has nothing to destroy."
    write(console, Text(f"Environment {settings.env}{done}"))


def adopted(console: Console, result: Adopted, settings: "Settings", fmt: Format) -> None:
    """What was taken into the state, what was not, and what the next deployment would change."""
    if fmt is Format.JSON:
        write_json(
            console,
            document(
                "adoption",
                {
                    "environment": settings.env,
                    "target": settings.target,
                    "adopted": [{"address": one.address, "id": one.id} for one in result.imports],
                    "refused": [{"address": at, "reason": why} for at, why in sorted(result.refused.items())],
                    "left_over": list(result.left_over),
                    "plan": plan_document(result.plan),
                    "outputs": None if result.outputs is None else result.outputs.to_flat(),
                    "seconds": round(result.seconds, 1),
                },
            ),
        )
        return
    counts = Counter(service_of(one.address.partition(".")[0]) for one in result.imports)
    if counts:
        write(console, table(("service", "adopted"), [(name, str(counts[name])) for name in sorted(counts)]))
    for address, why in sorted(result.refused.items()):
        write(console, Text(f"Not adopted: {address}: {why}."))
    if result.left_over:
        write(console, Text("Not of the stack, and left alone. Delete by hand what nothing needs:"))
        write(console, table(("left over",), [(one,) for one in result.left_over]))
    done = f"{len(result.imports)} resources adopted in {result.seconds:.0f} s"
    if not result.plan.has_changes:
        write(console, Text(f"Environment {settings.env}: {done}. The plan is empty."))
        return
    planned(console, result.plan, PlanFormat.TABLE)
    write(
        console,
        Text(
            f"Environment {settings.env}: {done}. It is not what this stack would deploy: the plan above is "
            "what is different. Adopt again with the flags that it was deployed with, or deploy."
        ),
    )


def outputs(console: Console, found: "Outputs", fmt: Format, *, everything: bool = False) -> None:
    """What people use of a deployment, or all of its outputs. As JSON always all of them, flat."""
    if fmt is Format.JSON:
        write_json(console, document("outputs", found.to_flat()))
        return
    if everything:
        write(console, table(("output", "value"), sorted(found.to_flat().items())))
        return
    write(
        console,
        *(_where(region, role) for region, role in zip(found.regions, ("primary", "secondary"), strict=True)),
        UnfoldedLines(
            (
                Text("Names", style="bold"),
                Text(f"  {'failover':<14} {found.failover_domain}"),
                Text(f"  {'latency':<14} {found.latency_domain}"),
            )
        ),
        Text(f"{len(found.to_flat())} outputs in all: add --all.", style="dim"),
    )


def settings(console: Console, resolved: "Settings", fmt: Format) -> None:
    """Every setting with its value and where that came from."""
    rows = [
        (name, value, resolved.origins.get(name, "default"))
        for name, value in resolved.model_dump(mode="json").items()
    ]
    if fmt is Format.JSON:
        fields = {name: {"value": value, "from": origin} for name, value, origin in rows}
        write_json(console, document("settings", fields))
        return
    write(
        console,
        table(("setting", "value", "from"), [(name, _shown(value), origin) for name, value, origin in rows]),
    )


def _where(region: "RegionOutputs", role: str) -> UnfoldedLines:
    """What is where in a region. The lines are never folded, so that a URL can be copied."""
    rows = (
        ("API", region.api_endpoint),
        ("function", region.lambda_function_name),
        ("table", region.dynamodb_table_name),
        ("audit bucket", region.s3_bucket_name),
        ("log group", region.lambda_log_group_name),
        ("API key is in", f"parameter {region.api_key_parameter}"),
    )
    head = Text(f"{region.region} ({role})", style="bold")
    return UnfoldedLines((head, *(Text(f"  {what:<14} {value}") for what, value in rows)))


def _shown(value: object) -> str:
    if value is None or value == []:
        return "-"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
