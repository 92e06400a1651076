"""What a function's process sees of this machine: as little as Lambda would show it.

AWS: a function has the variables that Lambda defines, its own, and nobody else's (Lambda developer guide,
"Defined runtime environment variables"); its only writable folder is its own, and its only credentials are
its role's.
"""

import os
import site
import subprocess
import tempfile
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from payinfra.local.server.ministack import Emulator

Config = Mapping[str, Any]
Environ = dict[str, str]


def install(emulator: Emulator) -> None:
    """Apply the patches."""
    runtime = emulator.core("lambda_runtime")
    given = base(os.environ, site.getuserbase() if site.ENABLE_USER_SITE else None)
    for module in (runtime, emulator.service("lambda_svc")):
        emulator.replace(module, "os", os_with(given))
        emulator.replace(module, "subprocess", private_processes())
    emulator.replace(runtime, "execution_credentials", with_lambdas_variables(runtime.execution_credentials))


def base(server: Mapping[str, str], user_base: str | None) -> Environ:
    """The variables that every function has.

    Args:
        server: the variables of the server's process.
        user_base: where Python's packages of the user are, if it looks for any: boto3 may be there, which
            Lambda has too.
    """
    return {
        "PATH": server.get("PATH", os.defpath),
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        # A machine in EC2 would hand out its own credentials.
        "AWS_EC2_METADATA_DISABLED": "true",
        **({} if user_base is None else {"PYTHONUSERBASE": user_base}),
    }


def os_with(environ: Environ) -> types.ModuleType:
    """The module `os`, for code that hands its `environ` on to functions."""
    shown = types.ModuleType("os")
    shown.__dict__.update(os.__dict__)
    shown.__dict__["environ"] = environ
    return shown


def private_processes() -> types.ModuleType:
    """The module `subprocess`; a process with variables of its own gets a home of its own, too.

    The home lies beside the folder that the process works in, and goes with it.
    """
    shown = types.ModuleType("subprocess")
    shown.__dict__.update(subprocess.__dict__)

    def at_home(start: Callable[..., Any]) -> Callable[..., Any]:
        def started(*arguments: Any, **more: Any) -> Any:
            if more.get("env") is not None and more.get("cwd") is not None:
                more["env"] = {**home(Path(more["cwd"])), **more["env"]}
            return start(*arguments, **more)

        return started

    shown.__dict__.update(Popen=at_home(subprocess.Popen), run=at_home(subprocess.run))
    return shown


def home(works_in: Path) -> Environ:
    """A folder for what a function writes, and the variables that name it."""
    folder = tempfile.mkdtemp(prefix=f"{works_in.name}-home-", dir=works_in.parent)
    return {"HOME": folder, "TMPDIR": folder}


def with_lambdas_variables(original: Callable[[Config], Environ]) -> Callable[[Config], Environ]:
    """Lambda's own variables, given with the credentials of the role."""

    def variables(config: Config) -> Environ:
        group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config['FunctionName']}"
        return {
            "_HANDLER": str(config.get("Handler", "")),
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{config.get('Runtime', '')}",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": group,
            **original(config),
        }

    return variables
