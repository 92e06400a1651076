"""The source checks, each over small folders of Python files."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from payinfra.checks.source.bindings import BindingsFolder, installed
from payinfra.checks.source.imports import imports_resolve, judge_imports
from payinfra.checks.source.model import SourceCheck, SourceTree, read_file, read_tree
from payinfra.checks.source.repetition import blocks_are_written_once
from payinfra.checks.source.testing import (
    every_test_asserts,
    integration_tests_read_outputs,
    project_has_tests,
)
from payinfra.checks.verdicts import Kind, Verdict
from payinfra.core.errors import EnvironmentUnusable

PACKAGE = "cdktf_cdktf_provider_aws"


def written(root: Path, files: Mapping[str, str]) -> SourceTree:
    """A folder with those files, read."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return read_tree(root)


def said(check: SourceCheck, tree: SourceTree) -> list[Verdict]:
    """What a check says, as a list."""
    verdicts = check(tree)
    assert not isinstance(verdicts, Verdict)
    return list(verdicts)


def kinds(check: SourceCheck, tree: SourceTree) -> list[Kind]:
    """The kinds of what it says."""
    return [verdict.kind for verdict in said(check, tree)]


class TestReading:
    """A folder becomes parsed files."""

    def test_hidden_generated_and_installed_folders_are_left_out(self, tmp_path: Path) -> None:
        files = dict.fromkeys(
            ("b.py", "a/c.py", ".venv/x.py", "cdktf.out/x.py", "__pycache__/x.py", "env/lib/x.py"), ""
        )

        tree = written(tmp_path, {**files, "env/pyvenv.cfg": "", "note.txt": ""})

        assert [file.shown for file in tree.files] == ["a/c.py", "b.py"]

    def test_no_folder_and_no_python_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(EnvironmentUnusable, match="is no folder"):
            read_tree(tmp_path / "none")
        with pytest.raises(EnvironmentUnusable, match="has no Python file"):
            read_tree(tmp_path)

    def test_a_heap_of_packages_is_refused(self, tmp_path: Path) -> None:
        for name in ("a.py", "b.py", "c.py"):
            (tmp_path / name).touch()

        with pytest.raises(EnvironmentUnusable, match="has 3 Python files"):
            read_tree(tmp_path, most_files=2)

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            (b"def (:", "is no Python: invalid syntax"),
            (b"a\0b", "is no Python: source code string cannot contain null bytes"),
            (b"# coding: nonsense\n", "is no Python: unknown encoding"),
            (b"x = " + b"-" * 20_000 + b"1", "is no Python: "),
        ],
    )
    def test_a_file_that_does_not_parse_says_so(self, tmp_path: Path, text: bytes, problem: str) -> None:
        (tmp_path / "a.py").write_bytes(text)

        file = read_file(tmp_path / "a.py", "a.py")

        assert file.tree is None
        assert file.nodes == ()
        assert file.problem.startswith(problem)
        assert file.unparsed() == Verdict.unknown(file.problem, file="a.py")

    def test_a_file_that_cannot_be_read_says_so(self, tmp_path: Path) -> None:
        assert read_file(tmp_path / "a.py", "a.py").problem == "cannot be read: No such file or directory"


class TestImports:
    """PI-SRC-001."""

    @pytest.fixture
    def bindings(self, tmp_path: Path) -> BindingsFolder:
        """A small package in the form of the bindings."""
        folder = tmp_path / "bindings"
        modules = {
            "s3_bucket": "class S3Bucket(\n    x): ...\nclass S3BucketConfig: ...\n",
            "s3_bucket_versioning": "class S3BucketVersioningA(x): ...\nclass S3BucketVersioningAConf: ...\n",
            "dynamodb_table": "class DynamodbTable(x): ...\nclass DynamodbTableReplica: ...\n",
            "empty": "",
        }
        for name, text in modules.items():
            (folder / name).mkdir(parents=True)
            (folder / name / "__init__.py").write_text(text)
        (folder / "_jsii").mkdir()
        (folder / "broken").mkdir()
        return BindingsFolder(folder)

    def judge(self, tmp_path: Path, text: str, bindings: BindingsFolder | None) -> list[Verdict]:
        """What is said of one file."""
        return list(judge_imports(written(tmp_path / "src", {"main.py": text}), bindings))

    @pytest.mark.parametrize(
        "text",
        [
            f"from {PACKAGE}.s3_bucket import S3Bucket, S3BucketConfig as C",
            f"from {PACKAGE}.s3_bucket import *",
            f"import {PACKAGE}.s3_bucket as s3\ns3.S3Bucket(); s3.other",
            f"import {PACKAGE}.s3_bucket\n{PACKAGE}.s3_bucket.S3Bucket; {PACKAGE}.s3_bucket.x",
            f"from {PACKAGE} import s3_bucket\ns3_bucket.S3Bucket",
            f"from {PACKAGE} import s3_bucket as b\nb.S3Bucket",
        ],
    )
    def test_right_imports_pass(self, tmp_path: Path, bindings: BindingsFolder, text: str) -> None:
        assert {one.kind for one in self.judge(tmp_path, text, bindings)} == {Kind.PASS}

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (
                f"from {PACKAGE}.s3_bucket_versioning import S3BucketVersioning",
                f"{PACKAGE}.s3_bucket_versioning has no S3BucketVersioning; "
                f"write `from {PACKAGE}.s3_bucket_versioning import S3BucketVersioningA`",
            ),
            (
                f"from {PACKAGE}.s3 import S3BucketVersioning",
                f"there is no {PACKAGE}.s3; "
                f"write `from {PACKAGE}.s3_bucket_versioning import S3BucketVersioningA`",
            ),
            (
                f"from {PACKAGE}.s3 import S3Bucket",
                f"there is no {PACKAGE}.s3; write `from {PACKAGE}.s3_bucket import S3Bucket`",
            ),
            (
                f"from {PACKAGE} import DynamoDbTable",
                f"{PACKAGE} has no DynamoDbTable; write `from {PACKAGE}.dynamodb_table import DynamodbTable`",
            ),
            (
                f"from {PACKAGE}.s3_bucket import Nonsense",
                f"{PACKAGE}.s3_bucket has no Nonsense",
            ),
            (
                f"import {PACKAGE}.s3_buckets",
                f"there is no {PACKAGE}.s3_buckets; write `import {PACKAGE}.s3_bucket`",
            ),
            (f"import {PACKAGE}.qqq as q", f"there is no {PACKAGE}.qqq"),
            (
                f"import {PACKAGE} as aws\naws.s3_bucket.S3Bucke()",
                f"{PACKAGE}.s3_bucket has no S3Bucke; write `from {PACKAGE}.s3_bucket import S3Bucket`",
            ),
            (
                f"from {PACKAGE} import s3_bucket as b\nb.S3Bucke()",
                f"{PACKAGE}.s3_bucket has no S3Bucke; write `from {PACKAGE}.s3_bucket import S3Bucket`",
            ),
            (f"from {PACKAGE}.broken import Thing", f"{PACKAGE}.broken has no Thing"),
        ],
    )
    def test_wrong_imports_fail_with_the_nearest_right_one(
        self, tmp_path: Path, bindings: BindingsFolder, text: str, message: str
    ) -> None:
        failed = [one for one in self.judge(tmp_path, text, bindings) if one.kind is Kind.FAIL]

        assert [one.message for one in failed] == [message]
        assert (failed[0].file, failed[0].line) == ("main.py", text.count("\n") + 1)

    @pytest.mark.parametrize(
        "text", ["", "import os.path as p, json\nfrom . import x\nfrom os import path\np.X; json.a.B"]
    )
    def test_other_imports_are_not_its_business(
        self, tmp_path: Path, bindings: BindingsFolder, text: str
    ) -> None:
        assert [one.kind for one in self.judge(tmp_path, text, bindings)] == [Kind.NOT_APPLICABLE]

    def test_a_star_import_of_the_package_asks_for_nothing(
        self, tmp_path: Path, bindings: BindingsFolder
    ) -> None:
        found = self.judge(tmp_path, f"from {PACKAGE} import *", bindings)

        assert [one.kind for one in found] == [Kind.NOT_APPLICABLE]

    def test_without_the_package_it_is_not_known(self, tmp_path: Path) -> None:
        found = self.judge(tmp_path, f"import {PACKAGE}.s3_bucket", None)

        assert [one.kind for one in found] == [Kind.UNKNOWN]

    def test_a_file_that_does_not_parse_is_not_known(self, tmp_path: Path, bindings: BindingsFolder) -> None:
        found = self.judge(tmp_path, "def (", bindings)

        assert found[0].kind is Kind.UNKNOWN

    def test_the_installed_package_is_found_without_importing_it(self, tmp_path: Path) -> None:
        text = f"from {PACKAGE}.s3_bucket_versioning import S3BucketVersioning"

        (failed,) = said(imports_resolve, written(tmp_path, {"main.py": text}))

        assert failed.message.endswith(
            f"write `from {PACKAGE}.s3_bucket_versioning import S3BucketVersioningA`"
        )

    def test_no_package_of_that_name_is_none(self) -> None:
        assert installed("no_such_package_at_all") is None


class TestTests:
    """PI-TST-001 and -002."""

    def test_a_project_without_tests_fails(self, tmp_path: Path) -> None:
        tree = written(tmp_path, {"main.py": "def test_x(): assert f()", "test_a.py": "x = 1"})

        (verdict,) = said(project_has_tests, tree)

        assert verdict.kind is Kind.FAIL
        assert verdict.file == tmp_path.as_posix()
        assert kinds(every_test_asserts, tree) == [Kind.NOT_APPLICABLE]

    def test_functions_and_methods_count(self, tmp_path: Path) -> None:
        text = "async def test_x(): assert f()\nclass TestY:\n    def test_z(self): assert g()"

        (verdict,) = said(project_has_tests, written(tmp_path, {"a_test.py": text}))

        assert (verdict.kind, verdict.message) == (Kind.PASS, "2 tests")

    def test_a_test_file_that_does_not_parse_is_not_known(self, tmp_path: Path) -> None:
        tree = written(tmp_path, {"test_a.py": "def (", "other.py": "def ("})

        assert kinds(project_has_tests, tree) == [Kind.UNKNOWN, Kind.FAIL]
        assert kinds(every_test_asserts, tree) == [Kind.UNKNOWN, Kind.NOT_APPLICABLE]

    @pytest.mark.parametrize(
        "body",
        [
            "assert f() == 1",
            "with pytest.raises(ValueError): f()",
            "self.assertEqual(f(), 1)",
            "mock.assert_called_once()",
            "expect(page).to_have()",
            "pytest.fail('x')",
            "_helper(1)",
            "support.indirect(1)",
        ],
    )
    def test_what_can_fail_is_an_assertion(self, tmp_path: Path, body: str) -> None:
        files = {
            "tests/test_a.py": f"def test_x():\n    {body}\n",
            "tests/support.py": "def _helper(x):\n    assert x\ndef indirect(x):\n    return _helper(x)\n",
        }

        assert kinds(every_test_asserts, written(tmp_path, files)) == [Kind.PASS]

    @pytest.mark.parametrize(
        "body", ["f()", "assert True", "assert (f(), 'always')", "print('assert')", "run()", "f()(1)"]
    )
    def test_what_cannot_fail_is_none(self, tmp_path: Path, body: str) -> None:
        files = {
            "tests/test_a.py": f"def test_x():\n    {body}\n",
            # What the code under test asserts is not the test's doing.
            "main.py": "def run():\n    assert x\n",
            # Nor is what another test file's helper of the same name does.
            "tests/test_b.py": "def f():\n    assert x\ndef test_b():\n    f()\n",
        }

        verdict, other = said(every_test_asserts, written(tmp_path, files))

        assert other.kind is Kind.PASS
        assert (verdict.kind, verdict.file, verdict.line) == (Kind.FAIL, "tests/test_a.py", 1)
        assert verdict.message == "test_x asserts nothing that can fail"


class TestIntegrationTests:
    """PI-TST-003."""

    READS = 'OUT = "cfn-outputs/flat-outputs.json"\n'

    def test_what_is_filed_under_unit_tests_is_none(self, tmp_path: Path) -> None:
        tree = written(tmp_path, {"tests/unit/test_live.py": "x = 1"})

        assert kinds(integration_tests_read_outputs, tree) == [Kind.NOT_APPLICABLE]

    def test_without_integration_tests_it_does_not_apply(self, tmp_path: Path) -> None:
        tree = written(tmp_path, {"tests/test_a.py": "x = 1", "integration/helper.py": "x = 1"})

        assert kinds(integration_tests_read_outputs, tree) == [Kind.NOT_APPLICABLE]

    @pytest.mark.parametrize(
        "files",
        [
            {"integration/test_a.py": READS},
            {"test_integration.py": READS},
            {"test_a.py": f"{READS}@pytest.mark.e2e\ndef test_x(): ..."},
            {"e2e/test_a.py": "x = 1", "conftest.py": READS},
            {"e2e/test_a.py": "from outputs import x", "e2e/outputs.py": READS},
        ],
    )
    def test_reading_the_outputs_passes(self, tmp_path: Path, files: dict[str, str]) -> None:
        assert kinds(integration_tests_read_outputs, written(tmp_path, files)) == [Kind.PASS]

    @pytest.mark.parametrize(
        "files",
        [
            {"e2e/test_a.py": "x = 1"},
            {"e2e/test_a.py": "x = 1", "other/conftest.py": READS},
            {"e2e/test_a.py": "pytest.skip.e2e", "e2e/test_b.py": READS},
        ],
    )
    def test_not_reading_them_fails(self, tmp_path: Path, files: dict[str, str]) -> None:
        verdicts = said(integration_tests_read_outputs, written(tmp_path, files))

        assert verdicts[0] == Verdict.failed(
            "it does not read flat-outputs.json", file="e2e/test_a.py", line=1
        )

    @pytest.mark.parametrize(
        ("line", "what"),
        [
            ('client.get_item(TableName="payments")', "TableName='payments'"),
            ('boto3.resource("dynamodb").Table("payments")', "Table('payments')"),
            ('x = "arn:aws:sns:us-east-1:123456789012:topic"', "'arn:aws:sns:us-east-1:123456789012:topic'"),
            (
                'x = "https://abcdef1234.execute-api.us-east-1.amazonaws.com/prod"',
                "'https://abcdef1234.execute-api.us-east-1.amazonaws.com/prod'",
            ),
        ],
    )
    def test_a_physical_name_fails(self, tmp_path: Path, line: str, what: str) -> None:
        verdicts = said(
            integration_tests_read_outputs, written(tmp_path, {"e2e/test_a.py": self.READS + line})
        )

        assert verdicts == [
            Verdict.failed(f"it names a physical resource: {what}", file="e2e/test_a.py", line=2)
        ]

    def test_a_name_that_the_test_gives_to_what_it_creates_passes(self, tmp_path: Path) -> None:
        text = (
            'client.create_table(TableName="own", Count=3); client.get_item(TableName="own")\n'
            "client.create_table(TableName=name); f(x=1); g.h(y=2)"
        )

        tree = written(tmp_path, {"e2e/test_a.py": self.READS + text})

        assert kinds(integration_tests_read_outputs, tree) == [Kind.PASS]

    def test_names_from_the_outputs_pass(self, tmp_path: Path) -> None:
        text = 'client.get_item(TableName=outputs["table"]); x = "arn:aws:iam::aws:policy/x"; f(Name="x")'

        tree = written(tmp_path, {"e2e/test_a.py": self.READS + text})

        assert kinds(integration_tests_read_outputs, tree) == [Kind.PASS]

    def test_a_file_that_does_not_parse_is_not_known(self, tmp_path: Path) -> None:
        tree = written(tmp_path, {"e2e/test_a.py": "def ("})

        assert kinds(integration_tests_read_outputs, tree) == [Kind.UNKNOWN]


def constructs(prefix: str, count: int = 3) -> Iterator[str]:
    """Lines that make constructs named after the prefix."""
    yield f'{prefix}_key = KmsKey(self, "{prefix}-key", enable=True, provider={prefix})'
    yield f'{prefix}_bucket = aws.S3Bucket(self, f"{prefix}-bucket", provider={prefix})'
    yield f'SnsTopic(self, "{prefix}-topic", key={prefix}_key.arn, days=7, tags={{"a": ["b"]}})'
    for number in range(count - 3):
        yield f'Alarm(self.scope, "{prefix}-{number}", provider={prefix})'


def body(*groups: list[str]) -> str:
    """A function for each group of lines."""
    return "\n".join(
        f"def f{number}(self):\n" + "".join(f"    {line}\n" for line in group)
        for number, group in enumerate(groups)
    )


class TestRepetition:
    """PI-DRY-001."""

    def test_a_block_that_is_written_twice_fails_once_and_names_the_first(self, tmp_path: Path) -> None:
        text = body([*constructs("primary", 5), *constructs("secondary", 5)])

        verdicts = said(blocks_are_written_once, written(tmp_path, {"main.py": text}))

        assert verdicts == [Verdict.failed("5 constructs in the shape of main.py:2", file="main.py", line=7)]

    def test_the_copy_may_be_in_another_file(self, tmp_path: Path) -> None:
        files = {"a.py": body(list(constructs("primary"))), "b.py": "\n".join(constructs("secondary"))}

        verdicts = said(blocks_are_written_once, written(tmp_path, files))

        assert verdicts == [Verdict.failed("3 constructs in the shape of a.py:2", file="b.py", line=1)]

    def test_one_large_construct_is_worth_a_finding(self, tmp_path: Path) -> None:
        arguments = ", ".join(f'a{number}=["x", y.z]' for number in range(12))
        text = body([f'Alarm(self, "a", {arguments})'], [f'Alarm(self, "b", {arguments})'])

        verdicts = said(blocks_are_written_once, written(tmp_path, {"main.py": text}))

        assert [one.message for one in verdicts] == ["a construct in the shape of main.py:2"]

    @pytest.mark.parametrize(
        "text",
        [
            body(list(constructs("primary"))),
            body(list(constructs("primary"))[:2], list(constructs("secondary"))[:2]),
            body(list(constructs("a")), [line.replace("days=7", "days=8") for line in constructs("b")]),
            body(["for region in regions:", *(f"    {line}" for line in constructs("r"))]),
        ],
    )
    def test_what_is_written_once_or_small_or_different_passes(self, tmp_path: Path, text: str) -> None:
        assert kinds(blocks_are_written_once, written(tmp_path, {"main.py": text})) == [Kind.PASS]

    @pytest.mark.parametrize(
        "text",
        ["", "f(self, 'x')", "Name(self)", "Name(self, x)", "Name(f(), 'x')", "x = 1", "f()(self, 'x')"],
    )
    def test_code_without_constructs_is_not_its_business(self, tmp_path: Path, text: str) -> None:
        assert kinds(blocks_are_written_once, written(tmp_path, {"main.py": text})) == [Kind.NOT_APPLICABLE]

    def test_tests_may_repeat_themselves(self, tmp_path: Path) -> None:
        text = body(list(constructs("a")), list(constructs("b")))

        assert kinds(blocks_are_written_once, written(tmp_path, {"test_a.py": text})) == [Kind.NOT_APPLICABLE]

    def test_a_file_that_does_not_parse_is_not_known(self, tmp_path: Path) -> None:
        tree = written(tmp_path, {"main.py": "def ("})

        assert kinds(blocks_are_written_once, tree) == [Kind.UNKNOWN, Kind.NOT_APPLICABLE]

    def test_a_very_long_block_is_compared_in_time(self, tmp_path: Path) -> None:
        text = body(list(constructs("a", 400)), list(constructs("b", 400)))

        assert Kind.FAIL in kinds(blocks_are_written_once, written(tmp_path, {"main.py": text}))
