"""The hooks that Node loads, in a real Node; and the names that jsii is taught."""

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from payinfra.stacks.cdktf_bindings import (
    AWS,
    IGNORE_INTERRUPT,
    LAZY_ARCHIVER,
    LAZY_INDEX,
    find_node,
    jsii_name,
    node_environment,
)

INDEX = """"use strict";
/**
 * Copyright
 */
Object.defineProperty(exports, "__esModule", { value: true });
exports.sqsQueue = exports.s3Bucket = void 0;
// https://example.com/a/comment
exports.s3Bucket = require("./s3-bucket");
exports.sqsQueue = require("./sqs-queue");
//# sourceMappingURL=data:application/json;base64,e30=
"""

SUBMODULE = "globalThis.loaded = [...(globalThis.loaded ?? []), __filename.split(/[\\\\/]/).at(-2)];\n"

ASK = """
const bindings = require(process.argv[1]);
const loaded = () => [...(globalThis.loaded ?? [])];
const before = loaded();
const first = bindings.s3Bucket;
const again = bindings.s3Bucket;
console.log(JSON.stringify({
  before, after: loaded(), same: first === again && first === require(process.argv[1] + '/s3-bucket'),
  keys: Object.keys(bindings), esModule: bindings.__esModule, unknown: bindings.nothing ?? null,
  other: bindings.other ?? null,
}));
"""


def packed(root: Path, place: str, index: str = INDEX) -> Path:
    """Write bindings as npm lays them out, in a folder below `root`."""
    lib = root / place / "lib"
    for submodule in ("s3-bucket", "sqs-queue"):
        (lib / submodule).mkdir(parents=True)
        (lib / submodule / "index.js").write_text(SUBMODULE + "exports.name = 'it';\n")
    (lib / "index.js").write_text(index)
    return lib


def node(*arguments: str, hook: Path = LAZY_INDEX) -> str:
    environ = dict(os.environ)
    program = find_node(environ)
    with node_environment(environ, program, [hook]):
        return subprocess.run(
            [program, *arguments], env=environ, capture_output=True, text=True, check=True, timeout=60
        ).stdout


def asked(lib: Path) -> dict[str, object]:
    answer: dict[str, object] = json.loads(node("--eval", ASK, str(lib)))
    return answer


@pytest.mark.parametrize(
    "place",
    [
        "node_modules/@cdktf/provider-aws",
        "cache/@cdktf/provider-aws/20.1.0/0123abcd",
        "with a space/@cdktf/provider-aws",
    ],
)
def test_the_index_requires_a_file_when_it_is_read(tmp_path: Path, place: str) -> None:
    assert asked(packed(tmp_path, place)) == {
        "before": [],
        "after": ["s3-bucket"],
        "same": True,
        "keys": ["s3Bucket", "sqsQueue"],
        "esModule": True,
        "unknown": None,
        "other": None,
    }


def test_an_index_that_does_more_is_left_to_node(tmp_path: Path) -> None:
    answer = asked(packed(tmp_path, "@cdktf/provider-aws", INDEX + "exports.other = 'computed';\n"))
    assert answer["before"] == ["s3-bucket", "sqs-queue"]
    assert answer["other"] == "computed"


def test_the_index_of_another_package_is_left_to_node(tmp_path: Path) -> None:
    assert asked(packed(tmp_path, "@cdktf/provider-random"))["before"] == ["s3-bucket", "sqs-queue"]


ARCHIVER = """
globalThis.loaded = (globalThis.loaded ?? 0) + 1;
module.exports = (format) => ({ format });
module.exports.create = module.exports;
"""

USE = """
const archiver = require(process.argv[1]);
const before = globalThis.loaded ?? 0;
console.log(JSON.stringify({
  before, called: archiver('zip').format, created: archiver.create('tar').format,
  kind: typeof archiver, unknown: archiver.nothing ?? null, loaded: globalThis.loaded,
  same: archiver === require(process.argv[1]),
}));
"""


def used(root: Path, package: str) -> dict[str, object]:
    """What a script sees of a package that it uses."""
    folder = root / "node_modules" / package
    folder.mkdir(parents=True)
    (folder / "index.js").write_text(ARCHIVER)
    answer: dict[str, object] = json.loads(node("--eval", USE, str(folder), hook=LAZY_ARCHIVER))
    return answer


def test_archiver_is_loaded_when_it_is_used_and_then_once(tmp_path: Path) -> None:
    seen = {"called": "zip", "created": "tar", "kind": "function", "unknown": None, "loaded": 1, "same": True}
    assert used(tmp_path, "archiver") == {"before": 0, **seen}
    assert used(tmp_path, "another") == {"before": 1, **seen}


@pytest.mark.parametrize("name", ["SIGINT", "SIGHUP"])
def test_what_a_terminal_sends_to_everybody_does_not_end_node(name: str) -> None:
    script = f"""
    process.on('{name}', () => console.log('told'));
    process.on('SIGTERM', () => process.exit(0));
    setTimeout(() => {{ console.log('alive'); process.kill(process.pid, 'SIGTERM'); }}, 50);
    process.kill(process.pid, '{name}');
    setInterval(() => {{}}, 1000);
    """
    assert node("--eval", script, hook=IGNORE_INTERRUPT) == "alive\n"


INTERRUPTED = """
import signal, sys
from payinfra.stacks import cdktf_bindings
cdktf_bindings.prepare()
import cdktf
app = cdktf.Testing.app()
try:
    print("ready", flush=True)
    signal.pause()
except KeyboardInterrupt:
    print(cdktf.TerraformStack(app, "stack").node.id)
"""


def test_a_ctrl_c_leaves_cdktf_usable_and_the_end_quiet() -> None:
    """A terminal sends the signal to the whole group of processes, Node's included."""
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert (output, errors, process.returncode) == ("stack\n", "", 0)


def first_names_of_each_submodule() -> Iterator[tuple[str, str]]:
    """Python's name and jsii's name of every submodule of the AWS bindings, read from their sources."""
    spec = importlib.util.find_spec(AWS.package)
    assert spec is not None
    assert spec.origin is not None
    declared = re.compile(rf'jsii_type="{re.escape(AWS.assembly)}\.(\w+)\.\w+"')
    for source in Path(spec.origin).parent.glob("[a-z]*/__init__.py"):
        with source.open(encoding="utf-8") as lines:
            found = next(match[1] for line in lines if (match := declared.search(line)))
        yield source.parent.name, found


def test_every_submodules_name_in_jsii_follows_from_its_name_in_python() -> None:
    names = dict(first_names_of_each_submodule())
    assert len(names) == 2_135
    assert {python: jsii for python, jsii in names.items() if jsii_name(python) != jsii} == {}
