"""How far the rotation of an API key has come. No value of a key gets here."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from payinfra.deployment.key_rotation.model import RemovedKeys, Rotation, Stage
from payinfra.report.documents import document
from payinfra.report.formats import Format
from payinfra.report.results import next_commands, table, write, write_json

if TYPE_CHECKING:
    from payinfra.core.settings import Settings
    from payinfra.deployment.key_rotation.model import ClientKey

_SAID = {
    Stage.SETTLED: "One API key is valid.",
    Stage.BEGUN: "A new API key is being made; the one in use is valid.",
    Stage.OVERLAP: "Both API keys are valid. The parameter in each region holds the new one.",
}


def rotation(console: Console, found: Rotation, settings: "Settings", fmt: Format) -> None:
    """The keys of both regions, what they mean, and the next step."""
    if fmt is Format.JSON:
        write_json(
            console,
            document(
                "key-rotation",
                {
                    "environment": found.env,
                    "stage": found.stage.value,
                    "regions": [
                        {
                            "region": each.region,
                            "current": _key_json(each.current),
                            "next": _key_json(each.following),
                            "former": _key_json(each.former),
                        }
                        for each in found.regions
                    ],
                },
            ),
        )
        return
    rows = [
        (each.region, _shown(each.current), _shown(each.following), _shown(each.former))
        for each in found.regions
    ]
    command = settings.command("rotate-key")
    after = {
        Stage.SETTLED: (command, "make another key, beside this one"),
        Stage.BEGUN: (command, "go on with it"),
        Stage.OVERLAP: (f"{command} --finish", "remove the former key, when no client uses it any more"),
    }
    write(
        console,
        table(("region", "key", "next", "former"), rows),
        Text(_SAID[found.stage]),
        Text("\nNext:"),
        next_commands((after[found.stage],)),
    )


def removed(console: Console, done: RemovedKeys, fmt: Format) -> None:
    """Which keys are gone."""
    if fmt is Format.JSON:
        write_json(console, document("key-removal", {"environment": done.env, "removed": dict(done.keys)}))
        return
    gone = ", ".join(f"{key} in {region}" for region, key in done.keys.items())
    write(console, Text(f"Removed: {gone}." if gone else "There was no former API key to remove."))


def _key_json(key: "ClientKey | None") -> dict[str, object] | None:
    if key is None:
        return None
    return {"id": key.id, "created": None if key.created is None else key.created.isoformat()}


def _shown(key: "ClientKey | None") -> str:
    if key is None:
        return "-"
    return key.id if key.created is None else f"{key.id}, since {key.created:%Y-%m-%d %H:%M} UTC"
