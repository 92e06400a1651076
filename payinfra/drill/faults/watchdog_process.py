"""The watchdog of the embedded AWS: a process of its own that lifts a drill's faults when nobody else does.

AWS has EventBridge Scheduler for that (`payinfra.drill.faults.watchdog`). Here a second process waits until
the drill's journal is closed, or until the drill must have ended: then it rolls back what the journal says is
left. It has a session of its own, so that no signal to the drill's terminal reaches it.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Self, cast

from payinfra.clients.aws import Aws, Endpoints
from payinfra.core.access_key import AccessKey
from payinfra.core.errors import EnvironmentUnusable
from payinfra.drill.faults.executor import AwsFaultExecutor, FaultExecutor
from payinfra.drill.faults.journal import FaultJournal
from payinfra.drill.faults.rollback import restore
from payinfra.local.control import Control

LOOK_S = 1.0
"""How often the journal is looked at, in seconds."""


@dataclass(frozen=True)
class Order:
    """What a watchdog has to know. It is sent through a pipe, because it has secrets.

    Attributes:
        journal: the drill's.
        ends_by: when the faults are lifted, in seconds since the epoch: later than the drill can take.
        control_url, token: of the embedded AWS's control port.
        regions, global_url: where the embedded AWS answers.
        access_key_id, secret_access_key: what calls to it are signed with.
        account: whose it is.
    """

    journal: str
    ends_by: float
    control_url: str
    token: str = field(repr=False)
    regions: Mapping[str, str]
    global_url: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    account: str

    @classmethod
    def of(
        cls, journal: Path, ends_by: datetime, control: Control, endpoints: Endpoints, account: str
    ) -> Self:
        """The order for a drill of an embedded AWS."""
        return cls(
            str(journal.absolute()),
            ends_by.timestamp(),
            control.url,
            control.token,
            dict(endpoints.regions),
            endpoints.global_url,
            endpoints.access_key.access_key_id,
            endpoints.access_key.secret_access_key,
            account,
        )

    def executor(self) -> FaultExecutor:
        """What rolls back."""
        key = AccessKey(self.access_key_id, self.secret_access_key)
        aws = Aws(Endpoints(self.regions, self.global_url, access_key=key))
        return AwsFaultExecutor(aws, Control(self.control_url, self.token), account=self.account)


def start(order: Order) -> str:
    """Start the watchdog; what is ready to lift the fault, or why nothing is, in a phrase."""
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        with cast(IO[bytes], process.stdin) as pipe:
            pipe.write(json.dumps(asdict(order)).encode())
    except OSError as error:
        return f"none: no second process could be started ({error.strerror})"
    when = datetime.fromtimestamp(order.ends_by, UTC)
    return f"armed: process {process.pid} lifts the fault at {when:%Y-%m-%d %H:%M:%S} UTC"


def since_boot() -> float:
    """Seconds since the machine began, those in which it slept included. Nobody can set this clock."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)  # Linux has it; elsewhere sleep does not count.
    return time.monotonic() if boot is None else time.clock_gettime(boot)


def watch(
    order: Order,
    executor: Callable[[], FaultExecutor],
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
    elapsed: Callable[[], float] = since_boot,
) -> bool:
    """Wait until the journal is closed or the time has come; whether faults had to be lifted.

    Args:
        now: the wall clock, which is looked at once: it may be set while the drill runs.
        elapsed: a clock that nobody can set, in seconds.
    """
    ends_at = elapsed() + max(0.0, order.ends_by - now())
    while True:
        if not _is_open(Path(order.journal)):
            return False
        if elapsed() >= ends_at:
            restore(FaultJournal.reopen(Path(order.journal)), executor(), _say_nothing)
            return True
        sleep(LOOK_S)


def _is_open(path: Path) -> bool:
    """Whether something may be in place. A journal that nobody can read names nothing to lift."""
    try:
        return FaultJournal(path).read().open
    except EnvironmentUnusable:
        return False


def _say_nothing(_text: str) -> None:
    """Nobody listens: the journal says what was done."""


def main() -> int:
    """Read an order from standard input, and carry it out."""
    found: dict[str, Any] = json.load(sys.stdin)
    order = Order(**found)
    watch(order, order.executor)
    return 0


if __name__ == "__main__":
    sys.exit(main())
