"""Where a running embedded AWS answers, and the files in which its process says so."""

import errno
import json
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from payinfra.core.errors import EnvironmentUnusable, UsageProblem
from payinfra.core.https_address import HttpsAddress
from payinfra.core.json_text import parse_json
from payinfra.core.private_files import replace_file
from payinfra.local.faults import ActiveFault
from payinfra.local.port_owner import owner_of

LOOPBACK = "127.0.0.1"
DEFAULT_BASE_PORT = 4560
BASE_PORT_VARIABLE = "PAYINFRA_LOCAL_PORT"
TOKEN_HEADER = "x-payinfra-token"  # noqa: S105 - the header's name, not a token
GLOBAL_REGION = "us-east-1"
"""Where AWS keeps what is global: the home of health check metrics, so always one of the regions served."""

_FIRST_REGION = 6
_HTTPS = 3
_DNS = -7


@dataclass(frozen=True)
class LocalEndpoints:
    """Where the embedded AWS answers.

    Args:
        regions: region to URL; every call to a region goes to its own port.
        global_url: IAM, STS, Route 53 and the control of faults; no region's blackout touches it.
        dns: `address:port` of the DNS server, UDP and TCP.
        pid: the server's process.
        https: region to where the custom domains in it are served; empty where there are none.
        authority: the file with the certificate, in PEM, of the authority that issues theirs; empty where
            there are none.
    """

    regions: Mapping[str, str]
    global_url: str
    dns: str
    pid: int
    https: Mapping[str, HttpsAddress] = field(default_factory=dict)
    authority: str = ""


@dataclass(frozen=True)
class LocalStatus:
    """What the embedded AWS is doing.

    Args:
        pending_writes: writes to global tables that have not reached their replica yet.
        time_scale: how many times faster than real time emulated time runs.
        started: ISO 8601 time in UTC.
        time_scale_holds: who asks for a time scale of their own, and for which.
    """

    endpoints: LocalEndpoints
    faults: tuple[ActiveFault, ...]
    time_scale: float
    pending_writes: int
    started: str
    time_scale_holds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class PortPlan:
    """Which port is for what. A base of 0 lets the system choose them all."""

    base: int = DEFAULT_BASE_PORT

    @property
    def control(self) -> int:
        """The port of control and of the global services."""
        return self.base

    @property
    def dns(self) -> int:
        """The port of the DNS server."""
        return self.base and self.base + _DNS

    def region(self, position: int) -> int:
        """The port of the region in this place, counted from 0."""
        return self.base and self.base + _FIRST_REGION + position

    @property
    def https(self) -> int:
        """The port of custom domains: the same in each region, on an address of its own."""
        return self.base and self.base + _HTTPS


def base_port(environ: Mapping[str, str]) -> int:
    """The base of the ports: PAYINFRA_LOCAL_PORT, or 4560.

    Raises:
        UsageProblem: the variable is no usable port number.
    """
    text = environ.get(BASE_PORT_VARIABLE, "")
    if not text:
        return DEFAULT_BASE_PORT
    if text.isdecimal() and (int(text) == 0 or 1024 <= int(text) <= 65000):
        return int(text)
    raise UsageProblem(
        f"{BASE_PORT_VARIABLE} is {text!r}, which is no port to start from.",
        "Give a number from 1024 to 65000, or 0 for ports that the system chooses.",
    )


def https_address(position: int) -> str:
    """The loopback address that the names of the region in this place lead to, counted from 0."""
    return f"127.0.0.{1 + position}"


def has_address(address: str) -> bool:
    """Whether this machine has the address. Linux has all of 127.0.0.0/8, macOS only 127.0.0.1 by default."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        try:
            sock.bind((address, 0))
        except OSError:
            return False
    return True


def listening_address(address: str, has: Callable[[str], bool] = has_address) -> str:
    """Where a region listens whose names lead to this address: there, or else at 127.0.0.1."""
    return address if has(address) else LOOPBACK


def listen(port: int, purpose: str, address: str = LOOPBACK) -> socket.socket:
    """A TCP socket that listens on loopback. Port 0 takes any free one.

    Raises:
        EnvironmentUnusable: somebody else has the port.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        sock.bind((address, port))
        sock.listen(256)
    except OSError as error:
        sock.close()
        raise _port_problem(port, purpose, address, error) from error
    sock.setblocking(False)
    return sock


def _port_problem(port: int, purpose: str, address: str, error: OSError) -> EnvironmentUnusable:
    """Why a port cannot be had, and whose it is."""
    owner = owner_of(port) if error.errno == errno.EADDRINUSE else None
    taken = f"{owner or 'another process'} uses it"
    why = {errno.EADDRINUSE: taken, errno.EACCES: "this user may not"}.get(error.errno or 0, error.strerror)
    stop = owner.how_to_stop if owner else "Stop what uses it"
    return EnvironmentUnusable(
        f"Port {port} on {address}, meant for {purpose}, cannot be used: {why}.",
        f"{stop}, or set {BASE_PORT_VARIABLE} to another first port (or to 0 for any).",
    )


def served_regions(asked: Sequence[str]) -> tuple[str, ...]:
    """The regions to serve: those asked for, each once, and always the one that holds global metrics."""
    return tuple(dict.fromkeys((*asked, GLOBAL_REGION)))


@dataclass(frozen=True)
class StateFolder:
    """The files of one embedded AWS: its state, its log, and where it answers while it runs."""

    root: Path

    @property
    def endpoints(self) -> Path:
        """Written once the server is ready, removed when it stops in an orderly way."""
        return self.root / "endpoints.json"

    @property
    def ports(self) -> Path:
        """The ports of the last run, tried again where the system chooses the ports."""
        return self.root / "ports.json"

    @property
    def token(self) -> Path:
        """The secret that control calls must carry; only its owner can read it."""
        return self.root / "token"

    @property
    def credentials(self) -> Path:
        """The account's access key; only its owner can read it."""
        return self.root / "credentials.json"

    @property
    def authority(self) -> Path:
        """The certificate, in PEM, of the authority that issues those of custom domains."""
        return self.root / "authority.pem"

    @property
    def authority_key(self) -> Path:
        """The authority's private key; only its owner can read it."""
        return self.root / "authority-key.pem"

    @property
    def lock(self) -> Path:
        """Locked by the server's process while that runs."""
        return self.root / "server.lock"

    @property
    def starting(self) -> Path:
        """Locked by a process that starts or stops the server."""
        return self.root / "starting.lock"

    @property
    def problem(self) -> Path:
        """Why the last start failed."""
        return self.root / "problem.json"

    @property
    def recovered(self) -> Path:
        """What the last start had to put right in the state, until somebody was told."""
        return self.root / "recovered.json"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.root / "server.log"

    @property
    def state(self) -> Path:
        """What the services hold."""
        return self.root / "state"

    @property
    def objects(self) -> Path:
        """The bodies of S3 objects."""
        return self.root / "objects"

    @property
    def scratch(self) -> Path:
        """Where functions are unpacked."""
        return self.root / "tmp"

    def prepare(self) -> None:
        """Make the folders, readable by their owner only.

        Raises:
            EnvironmentUnusable: the folder cannot be written.
        """
        try:
            for folder in (self.root, self.state, self.objects, self.scratch):
                folder.mkdir(parents=True, exist_ok=True)
            self.root.chmod(0o700)
        except OSError as error:
            raise EnvironmentUnusable(
                f"The embedded AWS cannot keep its state in {self.root}: {error.strerror}.",
                "Make that folder writable, or choose another work folder.",
            ) from error


def endpoints_to_json(endpoints: LocalEndpoints) -> dict[str, object]:
    """The endpoints as the state folder and the control port hold them."""
    return {
        "regions": dict(endpoints.regions),
        "global_url": endpoints.global_url,
        "dns": endpoints.dns,
        "pid": endpoints.pid,
        "https": {region: asdict(where) for region, where in endpoints.https.items()},
        "authority": endpoints.authority,
    }


def endpoints_from_json(value: object) -> LocalEndpoints | None:
    """Read what `endpoints_to_json` wrote; None where it is something else."""
    match value:
        case {"regions": dict(regions), "global_url": str(url), "dns": str(dns), "pid": int(pid), **more}:
            return LocalEndpoints(
                {str(key): str(port) for key, port in regions.items()},
                url,
                dns,
                pid,
                _https_from_json(more.get("https")),
                str(more.get("authority", "")),
            )
        case _:
            return None


def _https_from_json(value: object) -> Mapping[str, HttpsAddress]:
    """Read the addresses; none where an earlier version wrote the file, which had none."""
    found: dict[str, HttpsAddress] = {}
    for region, where in (value if isinstance(value, dict) else {}).items():
        match where:
            case {"address": str(address), "listens": str(listens)}:
                found[str(region)] = HttpsAddress(address, listens)
    return found


def read_json(path: Path) -> object:
    """A file's JSON; None where the file is absent or was cut short."""
    try:
        value: object = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value


def read_endpoints(folder: StateFolder) -> LocalEndpoints | None:
    """Where the last server said it answers. It may be gone by now: see `server.status`."""
    return endpoints_from_json(read_json(folder.endpoints))


def write_endpoints(folder: StateFolder, endpoints: LocalEndpoints) -> None:
    """Announce that the server is ready."""
    replace_file(folder.endpoints, json.dumps(endpoints_to_json(endpoints), indent=2) + "\n")
