"""PI-TST: the project's tests are there, assert something, and find the deployed stack by its outputs."""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from payinfra.checks.source.model import SourceFile, SourceTree, source_check
from payinfra.checks.verdicts import Severity, Verdict

OUTPUTS_FILE = "flat-outputs.json"
_INTEGRATION_FOLDERS = frozenset({"integration", "e2e", "end_to_end", "acceptance", "live"})
_UNIT_FOLDERS = frozenset({"unit", "unit_tests"})
"""What is in one of these is no integration test, whatever its file is called: `unit/test_live.py`."""
_TEST_FOLDERS = frozenset({"test", "tests", "testing"})
_INTEGRATION_NAME = re.compile(r"(?:^|_)(?:integration|e2e|end_to_end|acceptance|live)(?:_|\.|$)")
_ASSERTING = re.compile(r"_?(?:assert|expect|ensure|must)", re.IGNORECASE)
_ASSERTING_CALLS = frozenset({"raises", "warns", "fail", "deprecated_call"})
_NAMING_ARGUMENTS = frozenset(
    {
        "AlarmName", "Bucket", "FunctionName", "GroupName", "HealthCheckId", "HostedZoneId", "KeyId",
        "LogGroupName", "QueueUrl", "RoleName", "SecretId", "TableName", "TopicArn",
        "apiId", "keyId", "logGroupName", "restApiId", "usagePlanId",
    }
)  # fmt: skip
"""Parameters of boto3's clients that name a physical resource. Source: the services' models in botocore."""
_NAMING_CALLS = frozenset({"Bucket", "Table", "Topic", "Queue"})
_PHYSICAL = re.compile(
    r"arn:aws[\w-]*:[\w-]+:[\w-]*:\d{12}:.+"
    r"|https?://[a-z0-9]{8,}\.execute-api\.[\w-]+\.amazonaws\.com.*"
    r"|https?://sqs\.[\w-]+\.amazonaws\.com/\d{12}/.+",
    re.DOTALL,
)
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class _Test:
    file: SourceFile
    function: _Function


@source_check(
    id="PI-TST-001",
    title="The project has tests",
    severity=Severity.MEDIUM,
    risk="A change that breaks the stack is noticed by its users.",
    fix="Add test_*.py files with test functions, such as one that synthesizes the stack and looks at it.",
)
def project_has_tests(tree: SourceTree) -> Iterator[Verdict]:
    """Count the test functions that pytest would collect."""
    yield from _unparsed_tests(tree)
    found = sum(1 for _ in _tests(tree))
    if found:
        yield Verdict.passed(f"{found} tests")
    else:
        yield Verdict.failed("no test_*.py or *_test.py has a test function", file=tree.root.as_posix())


@source_check(
    id="PI-TST-002",
    title="Every test asserts something",
    severity=Severity.MEDIUM,
    risk="A test that cannot fail is green whatever the code does.",
    fix="Assert what the code under test is for, or remove the test.",
)
def every_test_asserts(tree: SourceTree) -> Iterator[Verdict]:
    """Look for an assertion that can fail, in the test or in a function of the project that it calls."""
    yield from _unparsed_tests(tree)
    support = _asserting((file for file in tree.files if _is_support(file)), frozenset())
    asserting = {file: _asserting([file], support) for file in tree.files if file.is_test}
    none = True
    for test in _tests(tree):
        none = False
        if _asserts(test.function, asserting[test.file]):
            yield Verdict.passed()
        else:
            yield Verdict.failed(
                f"{test.function.name} asserts nothing that can fail",
                file=test.file.shown,
                line=test.function.lineno,
            )
    if none:
        yield Verdict.not_applicable("there are no tests")


@source_check(
    id="PI-TST-003",
    title=f"Integration tests name no physical resource and read {OUTPUTS_FILE}",
    severity=Severity.MEDIUM,
    risk="A test with a name in it passes against yesterday's environment, or against somebody else's.",
    fix=f"Read every name, ARN and URL from cfn-outputs/{OUTPUTS_FILE}.",
)
def integration_tests_read_outputs(tree: SourceTree) -> Iterator[Verdict]:
    """Integration tests are those in a folder, in a file or under a marker of that name."""
    files = [file for file in tree.files if _is_integration(file)]
    for file in files:
        if file.tree is None:
            yield file.unparsed()
            continue
        named = tuple(_named_resources(file))
        yield from named
        if not any(OUTPUTS_FILE in one.text for one in _read_with(file, tree)):
            yield Verdict.failed(f"it does not read {OUTPUTS_FILE}", file=file.shown, line=1)
        elif not named:
            yield Verdict.passed()
    if not files:
        yield Verdict.not_applicable("there are no integration tests")


def _unparsed_tests(tree: SourceTree) -> Iterator[Verdict]:
    yield from (file.unparsed() for file in tree.files if file.is_test and file.tree is None)


def _tests(tree: SourceTree) -> Iterator[_Test]:
    for file in tree.files:
        if not file.is_test:
            continue
        for node in file.nodes:
            if isinstance(node, _Function) and node.name.startswith("test"):
                yield _Test(file, node)


def _asserting(files: Iterable[SourceFile], known: frozenset[str]) -> frozenset[str]:
    """The known functions, and those of the files that assert by themselves or through one of all these.

    A test is not asked to repeat what a helper of its own file, or of the tests' support files, asserts.
    What the code under test asserts does not count: it is not the test's doing.
    """
    bodies = [node for file in files for node in file.nodes if isinstance(node, _Function)]
    while True:
        more = known | {one.name for one in bodies if _asserts(one, known)}
        if more == known:
            return known
        known = more


def _is_support(file: SourceFile) -> bool:
    *folders, name = file.shown.split("/")
    return name == "conftest.py" or (not file.is_test and bool(_TEST_FOLDERS & set(folders)))


def _asserts(function: _Function, asserting: frozenset[str]) -> bool:
    return any(_can_fail(node, asserting) for node in ast.walk(function))


def _can_fail(node: ast.AST, asserting: frozenset[str]) -> bool:
    match node:
        case ast.Assert(test=condition):
            return not isinstance(condition, ast.Constant | ast.Tuple)
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return bool(_ASSERTING.match(name)) or name in _ASSERTING_CALLS or name in asserting
        case _:
            return False


def _is_integration(file: SourceFile) -> bool:
    if not file.is_test:
        return False
    *folders, name = file.shown.split("/")
    if _UNIT_FOLDERS & set(folders):
        return False
    if _INTEGRATION_FOLDERS & set(folders) or _INTEGRATION_NAME.search(name):
        return True
    return any(
        isinstance(node, ast.Attribute) and node.attr in _INTEGRATION_FOLDERS and _is_mark(node.value)
        for node in file.nodes
    )


def _is_mark(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "mark"


def _read_with(file: SourceFile, tree: SourceTree) -> Iterator[SourceFile]:
    """The file, the conftest.py files that apply to it, and the modules beside it that help it."""
    yield file
    folder = file.path.parent
    for other in tree.files:
        beside = other.path.parent == folder and not other.is_test
        above = other.path.name == "conftest.py" and other.path.parent in (folder, *folder.parents)
        if beside or above:
            yield other


def _made_here(file: SourceFile) -> frozenset[str]:
    """Names that the file itself gives to what it creates: those are no deployed environment's."""
    found: set[str] = set()
    for node in file.nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if not node.func.attr.startswith("create_"):
                continue
            for argument in node.keywords:
                if isinstance(argument.value, ast.Constant) and isinstance(argument.value.value, str):
                    found.add(argument.value.value)
    return frozenset(found)


def _named_resources(file: SourceFile) -> Iterator[Verdict]:
    made_here = _made_here(file)
    for node in file.nodes:
        match node:
            case ast.keyword(arg=str(name), value=ast.Constant(value=str(text))) if name in _NAMING_ARGUMENTS:
                what = f"{name}={text!r}"
            case ast.Call(func=ast.Attribute(attr=name), args=[ast.Constant(value=str(text)), *_]) if (
                name in _NAMING_CALLS
            ):
                what = f"{name}({text!r})"
            case ast.Constant(value=str(text)) if _PHYSICAL.fullmatch(text):
                what = repr(text)
            case _:
                continue
        if text in made_here:
            continue
        line = node.value.lineno if isinstance(node, ast.keyword) else node.lineno
        yield Verdict.failed(f"it names a physical resource: {what}", file=file.shown, line=line)
