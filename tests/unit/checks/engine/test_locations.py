"""Where a resource was made, as a path that the repository knows."""

from pathlib import Path

import pytest

from payinfra.checks.api import CheckRequest, run_checks
from payinfra.checks.locations import NOWHERE, Location, Locator, from_repository
from payinfra.checks.manifest import Json, Manifest, Resource
from payinfra.checks.source.model import read_tree

SOURCE = """
class AuditBucket(Construct):
    def __init__(self, scope, id_, env):
        super().__init__(scope, id_)
        S3Bucket(self, "bucket", bucket="audit")
        S3BucketVersioningA(
            self,
            f"{env}-versioning",
        )
        self._log("access")
        IamRole(self, "role")

    def _log(self, id_):
        CloudwatchLogGroup(*self.at(id_))
        CloudwatchLogGroup(self, id=id_ + "x")
        SfnStateMachine(self, GLOBAL)
        self._log(id_)


class Service(Construct):
    def make(self):
        IamRole(self, id_="role")
        DataAwsCallerIdentity(self, "me")
        SqsQueue(self, self.name)


class Stack(TerraformStack):
    def build(self):
        AuditBucket(self, "audit", "pr1")
        Service(self, "service")
        SnsTopic(scope, "topic"), SnsTopic(scope, "topic")
        SsmParameter(scope, f"{a}")
        KmsKey(*ids, "key"), Kms.KmsAlias(scope, "alias"), calls[0](scope, "alias")
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one file of constructs."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra" / "stack.py").write_text(SOURCE)
    (tmp_path / "infra" / "broken.py").write_text("def (")
    return tmp_path


def resource(kind: str, path: str = "", **metadata: Json) -> Resource:
    """A resource with CDKTF's metadata."""
    section = "data" if kind.startswith("data.") else "resource"
    body: Json = {"//": {"metadata": {"path": path, **metadata}}}
    made = Manifest.from_json({section: {kind.removeprefix("data."): {"x": body}}})
    return (made.data or made.resources)[0]


@pytest.mark.parametrize(
    ("kind", "path", "line"),
    [
        ("aws_s3_bucket", "pay/audit/bucket", 5),
        ("aws_s3_bucket_versioning", "pay/audit/pr1-versioning", 6),
        ("aws_cloudwatch_log_group", "pay/audit/access", 14),
        ("aws_iam_role", "pay/audit/role", 11),
        ("aws_iam_role", "pay/service/role", 22),
        ("aws_iam_role", "role", 0),
        ("aws_iam_role", "pay/other/role", 0),
        ("data.aws_caller_identity", "pay/service/me", 23),
        ("aws_sqs_queue", "pay/service/anything", 24),
        ("aws_sns_topic", "pay/topic", 31),
        ("aws_ssm_parameter", "pay/anything", 32),
        ("aws_s3_bucket", "pay/audit/other", 0),
        ("aws_s3_bucket", "pay/primary_audit_bucket", 5),
        ("aws_kms_key", "pay/key", 33),
        ("aws_kms_alias", "pay/alias", 33),
        ("aws_dynamodb_table", "pay/table", 0),
        ("aws_sfn_state_machine", "pay/any", 16),
        ("aws_s3_bucket", "", 0),
    ],
)
def test_python_is_searched_for_the_class_and_the_id(
    kind: str, path: str, line: int, repository: Path
) -> None:
    locator = Locator(read_tree(repository / "infra").files)

    assert locator.of(resource(kind, path)) == (Location("infra/stack.py", line) if line else NOWHERE)


def test_without_sources_there_is_no_place() -> None:
    assert Locator().of(resource("aws_s3_bucket", "pay/audit/bucket")) == NOWHERE


@pytest.mark.parametrize(
    ("frames", "line"),
    [
        (["new S3Bucket (/x/node_modules/cdktf/b.js:1:2)", "new Stack (ROOT/main.ts:12:5)"], 12),
        (["at Object.<anonymous> (ROOT/main.ts:30:1)"], 30),
        (['File "ROOT/main.py", line 7, in build'], 7),
        (["at Kernel (/tmp/jsii-kernel-abc/lib/program.js:1:1)"], 0),
        (["nothing of the kind", 3], 0),
        ("text", 0),
    ],
)
def test_cdktfs_own_stack_trace_says_where(frames: Json, line: int, repository: Path) -> None:
    if isinstance(frames, list):
        frames = [one.replace("ROOT", str(repository)) if isinstance(one, str) else one for one in frames]

    found = Locator().of(resource("aws_s3_bucket", "pay/b", stackTrace=frames))

    assert found.line == line
    assert found.file in ("main.ts", "main.py", "")


def test_a_path_is_from_the_root_of_its_repository(
    repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    alone = tmp_path_factory.mktemp("alone") / "main.tf"

    assert from_repository(repository / "infra" / "stack.py") == "infra/stack.py"
    assert from_repository(Path("payinfra/cli.py")) == "payinfra/cli.py"
    assert from_repository(alone) == alone.as_posix()
    assert from_repository(Path("a\0b")) == "a\0b"


def test_what_a_program_wrote_is_named_only_where_no_source_is_known(repository: Path) -> None:
    synthesized = repository / "cdk.tf.json"
    made, other = resource("aws_s3_bucket", "pay/audit/bucket"), resource("aws_s3_bucket", "pay/audit/other")
    made.source = other.source = (str(synthesized), 0)
    locator = Locator(read_tree(repository / "infra").files)

    assert locator.of(made) == Location("infra/stack.py", 5)
    assert locator.of(other) == Location("cdk.tf.json")
    assert Locator().of(made) == Location("cdk.tf.json")


def test_a_source_folder_is_named_as_its_repository_knows_it(repository: Path) -> None:
    outcome = run_checks(CheckRequest(source=repository / "infra", select=("PI-TST-001",)))

    assert {one.address for one in outcome.findings} >= {"infra"}
