"""Small packages that look like generated bindings, so that nothing here needs jsii's Node side."""

import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from payinfra.stacks.cdktf_bindings import JsiiPackage

INIT = "from . import _jsii, s3_bucket, sqs_queue\n\neager = True\n"
CORE = "import os\n\nseen = {name: os.environ.get(name) for name in ('JSII_NODE', 'NODE_OPTIONS')}\n"

MakeBindings = Callable[..., JsiiPackage]

_numbers = itertools.count()


@pytest.fixture
def make_bindings(tmp_path: Path) -> Iterator[MakeBindings]:
    """Writes a package of bindings and a core package, under names of their own, and forgets them after."""
    made: list[str] = []

    def make(*, jsii: str = "", core: str = CORE) -> JsiiPackage:
        number = next(_numbers)
        package, core_name = f"fake_bindings_{number}", f"fake_core_{number}"
        made.extend((package, core_name))
        for submodule in ("_jsii", "s3_bucket", "sqs_queue"):
            (tmp_path / package / submodule).mkdir(parents=True)
            (tmp_path / package / submodule / "__init__.py").write_text(jsii if submodule == "_jsii" else "")
        (tmp_path / package / "__pycache__").mkdir()
        (tmp_path / package / "py.typed").touch()
        (tmp_path / package / "__init__.py").write_text(INIT)
        (tmp_path / f"{core_name}.py").write_text(core)
        return JsiiPackage(package, f"@fake/{number}", core_name)

    sys.path.insert(0, str(tmp_path))
    yield make
    sys.path.remove(str(tmp_path))
    for name in [loaded for loaded in sys.modules if loaded.split(".")[0] in made]:
        del sys.modules[name]


@pytest.fixture
def some_program(tmp_path: Path) -> Path:
    """A file that may be run, to stand for Node."""
    program = tmp_path / "node"
    program.touch(mode=0o755)
    return program
