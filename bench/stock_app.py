"""The payments stack as an ordinary cdktf app, for cdktf's own CLI to run: ordinary imports, no preparation.

`payinfra.stacks.__main__` is the app for people, and fast; this one is what the benchmark compares with.
"""

import os
from pathlib import Path

from payinfra import stacks
from payinfra.core.settings import Settings
from payinfra.deployment import dependencies


def main() -> None:
    settings = Settings.resolve({}, folder=Path(), environ=os.environ)
    out = Path(os.environ["CDKTF_OUTDIR"])
    stacks.synthesize(settings, out=out, endpoints=dependencies.local_addresses(settings))


if __name__ == "__main__":
    main()
