"""The environment that the server's process is started in, and so that of the functions which it runs."""

from payinfra.local.endpoints import LOOPBACK, StateFolder

ACCOUNT = "000000000000"


def environment(folder: StateFolder, path: str, home: str) -> dict[str, str]:
    """The whole environment of the server's process and so of the functions that it runs.

    Nothing of the user's own is in it: a function must not find the user's credentials.
    """
    return {
        "PATH": path,
        "HOME": home,
        "LANG": "C.UTF-8",
        "TMPDIR": str(folder.scratch),
        "AUTH": "true",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(folder.state),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(folder.objects),
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_HOST": "localhost",
        "BIND_HOST": LOOPBACK,
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
