"""The access key of the embedded AWS's account: random for each state folder, readable by its owner only."""

import json
import re
import secrets

from payinfra.core.access_key import AccessKey
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.private_files import replace_file
from payinfra.local.endpoints import StateFolder, read_json

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_ID = re.compile(f"AKIA[{_LETTERS}]{{16}}")
_SECRET = re.compile(r"[A-Za-z0-9_-]{40}")


def new_access_key() -> AccessKey:
    """A new key, in the form of AWS's, without characters that a shell must have quoted."""
    return AccessKey("AKIA" + "".join(secrets.choice(_LETTERS) for _ in range(16)), secrets.token_urlsafe(30))


def read_access_key(folder: StateFolder) -> AccessKey | None:
    """The key of the embedded AWS in this folder; None where it has none, or its file was damaged."""
    match read_json(folder.credentials):
        case {"access_key_id": str(key), "secret_access_key": str(secret)} if _ID.fullmatch(
            key
        ) and _SECRET.fullmatch(secret):
            return AccessKey(key, secret)
        case _:
            return None


def known_access_key(folder: StateFolder) -> AccessKey:
    """The key of the embedded AWS that runs in this folder.

    Raises:
        EnvironmentUnusable: it has none.
    """
    found = read_access_key(folder)
    if found is None:
        raise EnvironmentUnusable(
            f"The embedded AWS has no credentials in {folder.credentials}.",
            "An earlier version of payinfra started it, or the file was removed. Start it anew: "
            "`payinfra local down`, then `payinfra local up`. What it holds is kept.",
        )
    return found


def keep_access_key(folder: StateFolder) -> AccessKey:
    """The folder's key, made where there is none. Its file is written anew, for its owner only."""
    key = read_access_key(folder) or new_access_key()
    kept = {"access_key_id": key.access_key_id, "secret_access_key": key.secret_access_key}
    replace_file(folder.credentials, json.dumps(kept) + "\n")
    return key
