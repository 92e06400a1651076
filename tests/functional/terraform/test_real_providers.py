"""Where providers come from, with a real `terraform init` that reaches no registry."""

import json
import os
from pathlib import Path

import pytest

from payinfra.core.errors import EnvironmentUnusable
from payinfra.terraform import Terraform, find_binary, lockfile
from payinfra.terraform.mirror import platform_name

REGISTRY = "registry.terraform.io"
NOBODY = "http://127.0.0.1:1"  # tcpmux: nothing listens there, and connecting fails at once


def require(folder: Path, source: str, version: str) -> None:
    """A stack that uses one provider and has no resource."""
    folder.mkdir(parents=True)
    provider = {"source": source, "version": version}
    backend = {"local": {"path": "terraform.tfstate"}}
    content = {"terraform": {"required_providers": {"it": provider}, "backend": backend}}
    (folder / "cdk.tf.json").write_text(json.dumps(content))


def put(mirror: Path, source: str, version: str) -> Path:
    """Put something that looks like a provider into a mirror."""
    name = source.rpartition("/")[2]
    package = mirror / REGISTRY / source / version / platform_name()
    package.mkdir(parents=True)
    program = package / f"terraform-provider-{name}_v{version}"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return package


def terraform(root: Path, environment: str, **variables: str) -> Terraform:
    work = root / environment
    return Terraform(
        binary=find_binary(),
        folder=work / "stack",
        data_dir=work / "data",
        log=work / "terraform.log",
        environment={**os.environ, "HTTPS_PROXY": NOBODY, "HOME": str(root / "home"), **variables},
        provider_cache=root / "cache",
        add_on=root / "add-on",
    )


def copies(root: Path) -> list[Path]:
    return [file for file in root.rglob("terraform-provider-*") if not file.is_symlink()]


def test_without_registry_and_mirror_both_are_named(tmp_path: Path) -> None:
    require(tmp_path / "one/stack", lockfile.PROVIDER, lockfile.VERSION)
    with pytest.raises(EnvironmentUnusable) as caught:
        terraform(tmp_path, "one").init()
    assert "the registry cannot be reached and no mirror serves it" in caught.value.what
    assert "PAYINFRA_PROVIDER_MIRROR" in caught.value.hint


def test_a_mirror_serves_every_environment_and_is_not_copied(tmp_path: Path) -> None:
    package = put(tmp_path / "mirror", "acme/thing", "1.2.3")
    for environment in ("one", "two"):
        require(tmp_path / environment / "stack", "acme/thing", "1.2.3")
        terraform(tmp_path, environment, PAYINFRA_PROVIDER_MIRROR=str(tmp_path / "mirror")).init()
        linked = tmp_path / environment / "data/providers" / package.relative_to(tmp_path / "mirror")
        assert linked.resolve() == package
    assert copies(tmp_path) == list(package.iterdir())


def test_a_provider_that_is_not_the_locked_one_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "add-on/plugins", lockfile.PROVIDER, lockfile.VERSION)
    require(tmp_path / "one/stack", lockfile.PROVIDER, lockfile.VERSION)
    with pytest.raises(EnvironmentUnusable, match="checksum"):
        terraform(tmp_path, "one").init()


def test_a_folder_that_terraform_implies_serves(tmp_path: Path) -> None:
    package = put(tmp_path / "home/.terraform.d/plugins", "acme/thing", "1.2.3")
    require(tmp_path / "one/stack", "acme/thing", "1.2.3")
    terraform(tmp_path, "one").init()
    assert copies(tmp_path) == list(package.iterdir())
