"""What Lambda does in the name of a function's role: decrypt its environment and write its log, as on AWS."""

import hashlib
import json
import secrets
import threading
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from payinfra.core.json_text import parse_json
from payinfra.local.server.ministack import Emulator
from payinfra.local.server.patches.kms_permissions import CustomerKeys
from payinfra.local.server.patches.permission_checks import PermissionCheck, Refusal, asks_the_role

Answer = tuple[int, dict[str, str], bytes]
Operation = Callable[..., Answer]
Config = Mapping[str, Any]

WRITING = ("CreateLogStream", "PutLogEvents")
GRANTED_ROLE = "_role_id"
"""Where a grant keeps whom it was made for: a role that is made anew, under the same name, is another one."""


class KMSAccessDeniedException(Exception):
    """A function's environment cannot be decrypted. By its name Lambda's API tells of it."""


def install(emulator: Emulator) -> None:
    """Apply the patches."""
    functions, runtime = emulator.service("lambda_svc"), emulator.core("lambda_runtime")
    refusal = asks_the_role(emulator)
    environments = Environments(emulator, refusal)
    for operation in ("_create_function", "_update_config"):
        emulator.replace(functions, operation, environments.grants(getattr(functions, operation)))
    sts = emulator.service("sts")
    emulator.replace(sts, "_evict_expired_sessions", expired_sessions_are_forgotten(sts))
    sessions = Sessions(sts)
    emulator.replace(runtime, "execution_credentials", environments.decrypted_first(sessions.of_function))
    emulator.replace(functions, "_invoke", denial_is_lambdas_own(functions._invoke))
    emulator.replace(
        functions,
        "_emit_lambda_logs",
        role_writes_the_log(functions._emit_lambda_logs, emulator.service("cloudwatch_logs"), refusal),
    )


def expired_sessions_are_forgotten(sts: Any) -> Callable[[], None]:
    """AWS: whoever gets a session gets it, whatever other sessions there are.

    Each new one is an occasion to forget the expired ones. ministack looks through them while functions that
    start, and services that work in a role's name, add theirs in other threads, which Python refuses.
    """

    def forget() -> None:
        for key, session in tuple(sts._sessions.items()):
            if sts._session_expired(session):
                sts._sessions.pop(key, None)

    return forget


def place_of(config: Config) -> tuple[str, str]:
    """The region and the account of a function."""
    _, _, _, region, account, *_ = str(config["FunctionArn"]).split(":")
    return region, account


class Sessions:
    """The sessions of their roles that functions work in.

    AWS: a function's credentials are temporary ones of its role. ministack computes them from the names of
    the function and the role, which anybody may know; here they are random.
    """

    def __init__(self, sts: Any) -> None:
        self.sts = sts
        self._making = threading.Lock()

    def of_function(self, config: Config) -> dict[str, str]:
        """The session's credentials, the same for each of the function's processes.

        Several of these may start at one moment: a process whose session another one has replaced would be
        refused by every service as long as it lives.
        """
        _region, account = place_of(config)
        role, name = who(config)
        key = "ASIA" + hashlib.sha256(f"{config['FunctionArn']} {role}".encode()).hexdigest()[:16].upper()
        with self._making:
            if key not in self.sts._sessions:
                title = role.rpartition("/")[2]
                self.sts.register_session(
                    key,
                    {
                        "Arn": f"arn:aws:sts::{account}:assumed-role/{title}/{name[:64]}",
                        "UserId": f"{title}:{name[:64]}",
                        "SecretAccessKey": secrets.token_urlsafe(30),
                        "SessionToken": secrets.token_urlsafe(64),
                    },
                )
            session = self.sts._sessions[key]
        return {
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
            "AWS_SESSION_TOKEN": session["SessionToken"],
        }


class Environments:
    """Environments under a customer's key.

    AWS: Lambda uses the permission of whoever sets a function's environment to make a grant on the key for
    the function's role (Lambda developer guide, "Securing environment variables"), and decrypts it as that
    role when the function starts. The grant is the role's that was there, not of its name: for a role that
    was deleted and made anew Lambda says that access to KMS was denied (AWS re:Post, "How do I resolve KMS
    exception permission errors from my Lambda function?"). The role's own policies help as a grant does.
    """

    def __init__(self, emulator: Emulator, refusal: Refusal) -> None:
        self.kms, self.iam = emulator.service("kms"), emulator.service("iam")
        self.keys, self.refusal = CustomerKeys(emulator), refusal
        self.emulator = emulator

    def grants(self, original: Operation) -> Operation:
        """Make the grant when the function was made or changed."""

        def change(*arguments: Any) -> Answer:
            status, headers, body = original(*arguments)
            config = parse_json(body)
            if status < 300 and (asks := self.asks(config)):
                self.grant(config, asks[0].resource)
            return status, headers, body

        return change

    def grant(self, config: Config, key: str) -> None:
        """One grant for each function and role on a key."""
        wanted = {
            "KeyId": key,
            "GranteePrincipal": config["Role"],
            "Operations": ["Decrypt"],
            "Name": f"lambda-{config['FunctionName']}",
            "Constraints": {"EncryptionContextEquals": {"aws:lambda:FunctionArn": config["FunctionArn"]}},
        }
        _status, _headers, made = self.kms._create_grant(wanted)
        self.kms._grants[parse_json(made)["GrantId"]][GRANTED_ROLE] = self.role_id(config)

    def decrypted_first(
        self, original: Callable[[Config], dict[str, str]]
    ) -> Callable[[Config], dict[str, str]]:
        """A function gets its credentials, and starts, only with its environment."""

        def credentials(config: Config) -> dict[str, str]:
            region, account = place_of(config)
            with self.emulator.scope(account, region):
                asks = self.asks(config)
                denied = "" if self.granted(config, asks) else self.refusal(*who(config), asks)
            if denied:
                raise KMSAccessDeniedException(
                    "Lambda was unable to decrypt the environment variables because KMS access was denied. "
                    f"Please check the function's KMS key settings. KMS Exception: AccessDeniedException "
                    f"KMS Message: {denied}"
                )
            return original(config)

        return credentials

    def asks(self, config: Config) -> tuple[PermissionCheck, ...]:
        """What decrypting takes; nothing without variables or without a customer's key."""
        if not (config.get("Environment") or {}).get("Variables"):
            return ()
        region, account = place_of(config)
        function = ":".join(str(config["FunctionArn"]).split(":")[:7])
        context = {"aws:lambda:FunctionArn": function}
        key = config.get("KMSKeyArn") or ""
        return self.keys.through(
            "lambda", key, ("kms:Decrypt",), region=region, account=account, context=context
        )

    def granted(self, config: Config, asks: tuple[PermissionCheck, ...]) -> bool:
        """Whether there is a grant for all of this."""
        mine = {
            grant["KeyId"]
            for grant in self.kms._grants.values()
            if grant.get(GRANTED_ROLE) == self.role_id(config) and grant["GranteePrincipal"] == config["Role"]
        }
        return all(ask.resource in mine for ask in asks)

    def role_id(self, config: Config) -> str:
        """The unique id of a function's role; empty where the role is gone."""
        role = self.iam._roles.get(str(config["Role"]).rpartition("/")[2]) or {}
        return str(role.get("RoleId", ""))


def who(config: Config) -> tuple[str, str]:
    """As whom a function calls: its role, and the session, which has the function's name."""
    return str(config["Role"]), str(config["FunctionName"])


def denial_is_lambdas_own(
    original: Callable[..., Coroutine[Any, Any, Answer]],
) -> Callable[..., Coroutine[Any, Any, Answer]]:
    """AWS: Invoke answers 502 and KMSAccessDeniedException; the function did not fail, it never ran (Lambda
    API reference, "Invoke")."""

    async def invoke(*arguments: Any, **more: Any) -> Answer:
        status, headers, body = await original(*arguments, **more)
        kind = KMSAccessDeniedException.__name__
        if "X-Amz-Function-Error" not in headers or f'"errorType": "{kind}"'.encode() not in body:
            return status, headers, body
        said = json.dumps({"Type": "User", "Message": parse_json(body)["errorMessage"]})
        return 502, {"Content-Type": "application/json", "x-amzn-errortype": kind}, said.encode()

    return invoke


def role_writes_the_log(original: Callable[..., None], logs: Any, refusal: Refusal) -> Callable[..., None]:
    """AWS: a function's role makes its log stream and writes to it; one that may not runs, and leaves no line
    (Lambda developer guide, "Sending Lambda function logs to CloudWatch Logs"; Lambda operator guide, "Access
    to CloudWatch Logs").

    AWS asks for the stream when an environment starts; here each call has a stream, and asks.
    """

    def emit(function: Mapping[str, Any], *arguments: Any, **more: Any) -> None:
        config = function.get("config") or function
        region, account = place_of(config)
        group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config['FunctionName']}"
        arn = f"arn:aws:logs:{region}:{account}:log-group:{group}"
        asks = [PermissionCheck(f"logs:{action}", f"{arn}:log-stream:", region) for action in WRITING]
        if group not in logs._log_groups:
            asks.insert(0, PermissionCheck("logs:CreateLogGroup", arn, region))
        if not refusal(*who(config), asks):
            original(function, *arguments, **more)

    return emit
