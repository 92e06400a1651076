"""A synthesis is reused while all that it depends on is as it was, and never otherwise."""

import io
import re
import shutil
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import cdktf
import pytest

import payinfra
from payinfra import stacks
from payinfra.clients.aws import Endpoints
from payinfra.core.access_key import AccessKey
from payinfra.core.setting_declarations import SETTINGS
from payinfra.core.settings import Settings
from payinfra.stacks.lambda_zip import handlers_folder
from payinfra.stacks.reuse import BINDINGS, VARIABLES, fingerprint, installed
from tests.synth.stacks.conftest import ENDPOINTS

PACKAGE = Path(payinfra.__file__).parent

BEFORE: Mapping[str, object] = {
    "env": "pr7",
    "target": "local",
    "domain": "pay.example.com",
    "hosted_zone_id": "Z0123456789ABC",
    "state_bucket": "our-states",
    "protected": True,
}
OTHERWISE: Mapping[str, object] = {
    "env": "pr8",
    "target": "aws",
    "primary_region": "eu-west-1",
    "secondary_region": "eu-west-1",
    "work_root": "elsewhere",
    "terraform": "tofu",
    "role_arn": "arn:aws:iam::123456789012:role/other",
    "state_bucket": "other-states",
    "state_region": "eu-west-1",
    "state_key": "other.tfstate",
    "protected": False,
    "footprint": "lean",
    "ephemeral_patterns": "test-*",
    "permissions_boundary": "arn:aws:iam::123456789012:policy/other",
    "owner": "others",
    "cost_center": "7",
    "handlers": str(handlers_folder()),
    "lambda_runtime": "python3.12",
    "lambda_memory_mb": 2048,
    "lambda_timeout_s": 17,
    "reserved_concurrency": 7,
    "api_rate_limit": 7.5,
    "api_burst_limit": 77,
    "daily_quota": 777,
    "cors_origins": "https://other.example.com",
    "keep_source_ip": True,
    "spread_statuses": False,
    "log_retention_days": 3,
    "audit_retention_days": 77,
    "object_lock_days": 7,
    "health_check_interval": 30,
    "health_check_threshold": 7,
    "dns_ttl": 7,
    "failback": "automatic",
    "alarm_email": "other@example.com",
    "domain": "other.example.com",
    "hosted_zone_id": "Z0123456789XYZ",
    "name_prefix": "other",
    "state_kms_key": "alias/other",
    "tags": {"Team": "others"},
    "failover_name": "other.pay.example.com",
    "latency_name": "near.pay.example.com",
    "canary_body": '{"amount": "{amount}", "currency": "EUR", "customer_id": "{customer}", '
    '"payment_method": "wallet", "timestamp": "{time}", "metadata": "{metadata}"}',
    "canary_headers": "Idempotency-Key={key},X-Other=1",
    "canary_payment_id": "other_{hash}",
    "canary_id_field": "id",
    "canary_accepted": "202",
    "canary_replayed": "208",
    "canary_refused": "422",
    # Where the embedded AWS has none, and where one is of no use without the other.
    "lambda_layers": tuple(
        f"arn:aws:lambda:{region}:123456789012:layer:tools:3" for region in ("us-east-1", "us-west-2")
    ),
    "table_attributes": ("merchant_id=S",),
    "table_indexes": ("merchant-index=merchant_id:timestamp",),
}
TOGETHER: Mapping[str, Mapping[str, object]] = {
    "lambda_layers": {"target": "aws"},
    "table_attributes": {"table_indexes": ("merchant-index=merchant_id:timestamp",)},
    "table_indexes": {"table_attributes": ("merchant_id=S",)},
}
"""What else has to be so where a setting is not allowed alone."""
ANOTHER = {setting.name: OTHERWISE.get(setting.name, setting.example) for setting in SETTINGS}
"""Another value for each setting that is declared: an example where the declaration has one."""


class SynthesisBegan(Exception):
    """The bindings were asked for: nothing was reused."""


def began() -> None:
    raise SynthesisBegan


@pytest.fixture(scope="module")
def made(synthesized: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a synthesis of `BEFORE`, its record, the function's code and a module."""
    folder = tmp_path_factory.mktemp("made")
    shutil.copytree(handlers_folder(), folder / "handlers")
    (folder / "modules").mkdir()
    (folder / "modules" / "queue.py").write_text("SIZE = 1\n")
    (folder / "acme").mkdir()
    (folder / "acme" / "canary.py").write_text("def contract(settings):\n    return settings.canary\n")
    synthesize(folder)
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    """The same for one test: where it stands is part of what a stack is made of, so it stands there."""
    kept = tmp_path / "kept"
    shutil.copytree(made, kept)
    return made


@pytest.fixture(autouse=True)
def _put_back(request: pytest.FixtureRequest, tmp_path: Path) -> object:
    """Leave the folder as it was found."""
    yield
    kept = tmp_path / "kept"
    if kept.is_dir():
        folder = request.getfixturevalue("made")
        shutil.rmtree(folder)
        shutil.copytree(kept, folder)


def settings_of(folder: Path, **other: object) -> Settings:
    return Settings.resolve({**BEFORE, "work_root": "work", **other}, folder=folder, environ={})


def synthesize(
    folder: Path,
    settings: Settings | None = None,
    *,
    endpoints: Endpoints | None = ENDPOINTS,
    fresh: bool = False,
    bindings: Callable[[], None] = lambda: None,
) -> Path:
    return stacks.synthesize(
        settings or settings_of(folder),
        out=folder / "out",
        endpoints=endpoints,
        handlers=folder / "handlers",
        bindings=bindings,
        record=folder / "record",
        fresh=fresh,
        files=(folder / "modules",),
    )


def is_reused(
    folder: Path, settings: Settings | None = None, *, endpoints: Endpoints | None = ENDPOINTS
) -> bool:
    try:
        synthesize(folder, settings, endpoints=endpoints, bindings=began)
    except SynthesisBegan:
        return False
    return True


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_has_not_changed_is_reused_byte_for_byte(project: Path) -> None:
    before = contents(project / "out")
    assert is_reused(project)
    assert contents(project / "out") == before
    synthesize(project, fresh=True)
    assert contents(project / "out") == before


def test_fresh_never_reuses(project: Path) -> None:
    with pytest.raises(SynthesisBegan):
        synthesize(project, fresh=True, bindings=began)


def test_each_setting_has_another_value_here() -> None:
    assert sorted(ANOTHER) == sorted(Settings.model_fields)
    assert [name for name, value in ANOTHER.items() if value is None] == []


@pytest.mark.parametrize("name", sorted(ANOTHER))
def test_another_setting_is_another_synthesis(name: str, project: Path) -> None:
    given = {**TOGETHER.get(name, {}), name: ANOTHER[name]}
    assert not is_reused(project, settings_of(project, **given))


@pytest.mark.parametrize(
    "endpoints",
    [
        replace(ENDPOINTS, regions={**ENDPOINTS.regions, "us-west-2": "http://127.0.0.1:9"}),
        replace(ENDPOINTS, global_url="http://127.0.0.1:9"),
        replace(ENDPOINTS, dns="127.0.0.1:9"),
    ],
)
def test_another_endpoint_is_another_synthesis(endpoints: Endpoints, project: Path) -> None:
    assert not is_reused(project, endpoints=endpoints)


def test_the_access_key_of_the_embedded_aws_is_in_no_output(project: Path) -> None:
    assert is_reused(project, endpoints=replace(ENDPOINTS, access_key=AccessKey("AKIAANOTHER", "another")))


@pytest.mark.parametrize("changed", ["handlers/payments/handler.py", "modules/queue.py"])
def test_another_file_is_another_synthesis(changed: str, project: Path) -> None:
    file = project / changed
    file.write_text(file.read_text() + "# changed\n")
    assert not is_reused(project)


def test_one_more_file_is_another_synthesis(project: Path) -> None:
    (project / "modules" / "topic.py").write_text("")
    assert not is_reused(project)


@pytest.mark.parametrize("damage", ["out/manifest.json", "out/stacks/payment-pr7/cdk.tf.json", "record"])
@pytest.mark.parametrize(
    "how", [lambda content: content[:-7], lambda content: content + b" ", lambda _content: None]
)
def test_what_is_damaged_is_not_used(
    damage: str, how: Callable[[bytes], bytes | None], project: Path
) -> None:
    file = project / damage
    content = how(file.read_bytes())
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    assert not is_reused(project)


def test_a_digest_in_the_record_that_was_changed_is_not_used(project: Path) -> None:
    record = project / "record"
    text = record.read_text()
    # Without the line of one file, that file would not be looked at.
    record.write_text(re.sub(r'\s+"manifest.json": "\w+",', "", text))
    assert record.read_text() != text
    assert not is_reused(project)


def test_a_synthesis_that_fails_leaves_nothing_to_reuse(project: Path) -> None:
    with pytest.raises(SynthesisBegan):
        synthesize(project, fresh=True, bindings=began)
    assert not is_reused(project)


def test_terraforms_own_files_in_the_folder_do_not_count(project: Path) -> None:
    synthesize(project, fresh=True)
    (project / "out" / "stacks" / "payment-pr7" / ".terraform.lock.hcl").write_text("# written by init\n")
    assert is_reused(project)


def test_a_change_of_payinfra_itself_is_another_synthesis(tmp_path: Path) -> None:
    package = shutil.copytree(PACKAGE, tmp_path / "payinfra", ignore=shutil.ignore_patterns("__pycache__"))
    handlers = shutil.copytree(handlers_folder(), tmp_path / "handlers")
    settings = settings_of(tmp_path)

    def seen() -> str:
        return fingerprint(settings, endpoints=None, code_sha256="", package=package, handlers=handlers)

    # Where payinfra is installed does not matter, what it is does.
    before = seen()
    assert before == fingerprint(settings, endpoints=None, code_sha256="")
    for name in ("payinfra/stacks/region.py", "payinfra/core/version.py", "payinfra/stacks/lazy_index.cjs"):
        file = tmp_path / name
        content = file.read_text()
        file.write_text(content + "\n")
        assert seen() != before, name
        file.write_text(content)
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "x.pyc").write_bytes(b"")
    assert seen() == before
    next((handlers / "payments" / "schemas").iterdir()).write_text("{}")
    assert seen() != before


@pytest.mark.parametrize("name", BINDINGS)
def test_another_version_of_the_bindings_is_another_synthesis(name: str, tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    before = fingerprint(settings, endpoints=None, code_sha256="")
    assert before != fingerprint(
        settings,
        endpoints=None,
        code_sha256="",
        distribution=lambda one: installed(one) + ("." if one == name else ""),
    )


def test_each_variable_that_cdktf_reads_counts(tmp_path: Path) -> None:
    read: set[str] = set()
    bundle = next((Path(cdktf.__file__).parent / "_jsii").glob("*.tgz"))
    with tarfile.open(fileobj=io.BytesIO(bundle.read_bytes())) as package:
        for member in package:
            if re.fullmatch(r"package/lib/[\w/-]+\.js", member.name) and (
                file := package.extractfile(member)
            ):
                text = file.read().decode()
                read |= set(re.findall(r"process\.env\.(\w+)", text))
                read |= set(re.findall(r'CONTEXT_ENV = "(\w+)"', text))
    assert read >= {"CDKTF_OUTDIR", "CDKTF_CONTEXT_JSON"}
    settings = settings_of(tmp_path)

    def seen(environ: Mapping[str, str]) -> str:
        return fingerprint(settings, endpoints=None, code_sha256="", environ=environ)

    for name in (*sorted(read), "JSII_NODE", "NODE_OPTIONS"):
        assert name.startswith(VARIABLES), name
        assert seen({name: "1"}) != seen({}) != seen({name: "2"}) != seen({name: "1"})
    assert seen({"HOME": "/elsewhere"}) == seen({})
