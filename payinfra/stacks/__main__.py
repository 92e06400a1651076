"""The app that cdktf's own CLI runs (`cdktf.json` names it): the same stack, from the same settings.

Flags do not reach it, so settings come from PAYINFRA_* variables and payinfra.toml; cdktf says in
CDKTF_OUTDIR where to write.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from payinfra.core.errors import PayinfraError
from payinfra.core.settings import Settings
from payinfra.stacks import cdktf_bindings


def main(environ: Mapping[str, str] = os.environ, folder: Path = Path()) -> int:
    """Synthesize for AWS, and give the process's exit code.

    The embedded AWS is for `payinfra synth --local`, which knows its addresses.
    """
    try:
        settings = Settings.resolve({}, folder=folder, environ=environ)
        cdktf_bindings.prepare()
        from payinfra import stacks

        stacks.synthesize(settings, out=Path(environ.get("CDKTF_OUTDIR", folder / "cdktf.out")))
    except PayinfraError as error:
        sys.stderr.write(f"{error.what} {error.hint}\n")
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(main())
