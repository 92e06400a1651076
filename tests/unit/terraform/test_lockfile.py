import json
import re
from pathlib import Path

from payinfra.terraform import lockfile

TERRAFORM = "registry.terraform.io"


def stack(folder: Path, **sources: str) -> Path:
    providers = {name: {"source": source, "version": "5.100.0"} for name, source in sources.items()}
    (folder / "cdk.tf.json").write_text(json.dumps({"terraform": {"required_providers": providers}}))
    return folder


def test_the_lock_is_placed_and_read_only_where_it_covers_the_stack(tmp_path: Path) -> None:
    for source in ("aws", "hashicorp/aws", "registry.terraform.io/hashicorp/aws"):
        assert lockfile.place(stack(tmp_path, aws=source), TERRAFORM) == ("-lockfile=readonly",)
    assert (tmp_path / ".terraform.lock.hcl").read_bytes() == lockfile.SHIPPED.read_bytes()


def test_a_changed_lock_is_put_right(tmp_path: Path) -> None:
    (tmp_path / ".terraform.lock.hcl").write_text("tampered")
    lockfile.place(stack(tmp_path, aws="aws"), TERRAFORM)
    assert (tmp_path / ".terraform.lock.hcl").read_bytes() == lockfile.SHIPPED.read_bytes()


def test_with_other_providers_the_lock_is_a_start_that_init_may_extend(tmp_path: Path) -> None:
    stack(tmp_path, aws="aws", random="hashicorp/random")
    assert lockfile.place(tmp_path, TERRAFORM) == ()
    assert (tmp_path / ".terraform.lock.hcl").read_bytes() == lockfile.SHIPPED.read_bytes()
    (tmp_path / ".terraform.lock.hcl").write_text("extended")
    assert lockfile.place(tmp_path, TERRAFORM) == ()
    assert (tmp_path / ".terraform.lock.hcl").read_text() == "extended"


def test_nothing_is_placed_where_the_lock_says_nothing(tmp_path: Path) -> None:
    assert lockfile.place(stack(tmp_path, random="hashicorp/random"), TERRAFORM) == ()
    assert lockfile.place(stack(tmp_path, aws="aws"), "registry.opentofu.org") == ()
    assert not (tmp_path / ".terraform.lock.hcl").exists()


def test_a_provider_without_a_source_is_hashicorps(tmp_path: Path) -> None:
    (tmp_path / "cdk.tf.json").write_text('{"terraform": {"required_providers": {"aws": {}}}}')
    assert lockfile.required_sources(tmp_path) == {"hashicorp/aws"}


def test_broken_configuration_is_left_for_terraform_to_explain(tmp_path: Path) -> None:
    (tmp_path / "cdk.tf.json").write_text("{broken")
    assert lockfile.required_sources(tmp_path) == frozenset()


def test_the_shipped_lock_knows_this_provider_on_several_platforms() -> None:
    text = lockfile.SHIPPED.read_text()
    assert re.findall(r'provider "([^"]+)"', text) == [f"{TERRAFORM}/{lockfile.PROVIDER}"]
    assert re.findall(r'version\s+= "([^"]+)"', text) == [lockfile.VERSION]
    unpacked = re.findall(r'"h1:[A-Za-z0-9+/]{43}="', text)
    archives = re.findall(r'"zh:[0-9a-f]{64}"', text)
    assert len(set(unpacked)) == len(unpacked) == 14
    assert len(set(archives)) == len(archives) == 15
