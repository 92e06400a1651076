import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from payinfra.core.errors import ExitCode, UsageProblem
from payinfra.core.events import Event, Notice, ignore
from payinfra.terraform import lockfile
from payinfra.terraform.mirror import (
    CONFIG_NAME,
    Mirror,
    Origin,
    config_text,
    configure,
    default_config,
    find_mirror,
    implied_folders,
    platform_name,
    serves,
)

REGISTRY = "registry.terraform.io"
OPENTOFU = "registry.opentofu.org"
PLATFORM = "linux_amd64"


def unpacked(folder: Path, version: str = lockfile.VERSION, platform: str = PLATFORM) -> Path:
    (folder / REGISTRY / lockfile.PROVIDER / version / platform).mkdir(parents=True)
    return folder


def packed(folder: Path) -> Path:
    provider = folder / REGISTRY / lockfile.PROVIDER
    provider.mkdir(parents=True)
    (provider / f"terraform-provider-aws_{lockfile.VERSION}_{PLATFORM}.zip").touch()
    return folder


def find(tmp_path: Path, environment: Mapping[str, str]) -> Mirror | None:
    return find_mirror(
        environment, registry=REGISTRY, platform=PLATFORM, home=tmp_path / "home", add_on=tmp_path / "add-on"
    )


def test_this_machine_is_named_as_terraform_names_it() -> None:
    assert platform_name("Linux", "x86_64") == "linux_amd64"
    assert platform_name("Darwin", "arm64") == "darwin_arm64"
    assert platform_name("Linux", "aarch64") == "linux_arm64"
    system, machine = platform_name().split("_", 1)
    assert system in {"linux", "darwin"}
    assert machine


def test_a_mirror_serves_unpacked_or_packed_but_this_version_and_platform_only(tmp_path: Path) -> None:
    assert serves(unpacked(tmp_path / "a"), REGISTRY, PLATFORM)
    assert serves(packed(tmp_path / "b"), REGISTRY, PLATFORM)
    assert not serves(unpacked(tmp_path / "c", version="5.99.0"), REGISTRY, PLATFORM)
    assert not serves(unpacked(tmp_path / "d", platform="darwin_arm64"), REGISTRY, PLATFORM)
    assert not serves(tmp_path / "a", "registry.opentofu.org", PLATFORM)
    assert not serves(tmp_path / "absent", REGISTRY, PLATFORM)


def test_the_mirror_that_is_set_wins(tmp_path: Path) -> None:
    named = unpacked(tmp_path / "named")
    unpacked(tmp_path / "home/.terraform.d/plugins")
    unpacked(tmp_path / "add-on/plugins")
    assert find(tmp_path, {"PAYINFRA_PROVIDER_MIRROR": str(named)}) == Mirror(named, Origin.SET)


def test_then_what_terraform_implies_then_the_add_on_folder(tmp_path: Path) -> None:
    assert find(tmp_path, {}) is None
    (tmp_path / "add-on/unrelated").mkdir(parents=True)
    assert find(tmp_path, {}) is None
    added = unpacked(tmp_path / "add-on/plugins")
    assert find(tmp_path, {}) == Mirror(added, Origin.ADD_ON)
    shared = unpacked(tmp_path / "share/terraform/plugins")
    environment = {"XDG_DATA_DIRS": f":{tmp_path / 'share'}"}
    assert find(tmp_path, environment) == Mirror(shared, Origin.IMPLIED)
    own = unpacked(tmp_path / "home/.terraform.d/plugins")
    assert find(tmp_path, environment) == Mirror(own, Origin.IMPLIED)


def test_an_implied_folder_without_this_provider_does_not_count(tmp_path: Path) -> None:
    unpacked(tmp_path / "home/.terraform.d/plugins", version="4.0.0")
    assert find(tmp_path, {}) is None


def test_the_implied_folders_are_terraforms(tmp_path: Path) -> None:
    assert implied_folders({}, tmp_path) == (
        tmp_path / ".terraform.d/plugins",
        tmp_path / "Library/Application Support/io.terraform/plugins",
        tmp_path / ".local/share/terraform/plugins",
        Path("/usr/local/share/terraform/plugins"),
        Path("/usr/share/terraform/plugins"),
    )


def test_opentofu_has_an_implied_folder_of_its_own_where_terraform_has_none(tmp_path: Path) -> None:
    xdg = {"XDG_DATA_HOME": str(tmp_path / "data")}
    assert implied_folders(xdg, tmp_path, OPENTOFU)[0] == tmp_path / "data/opentofu/plugins"
    assert implied_folders(xdg, tmp_path, REGISTRY)[0] == tmp_path / ".terraform.d/plugins"
    assert implied_folders({}, tmp_path, OPENTOFU)[0] == tmp_path / ".terraform.d/plugins"
    (tmp_path / ".terraform.d").mkdir()
    assert implied_folders(xdg, tmp_path, OPENTOFU)[0] == tmp_path / ".terraform.d/plugins"


def test_a_mirror_of_terraforms_registry_is_none_for_opentofu_and_says_why(tmp_path: Path) -> None:
    named = {"PAYINFRA_PROVIDER_MIRROR": str(unpacked(tmp_path / "named"))}
    with pytest.raises(UsageProblem) as caught:
        find_mirror(named, registry=OPENTOFU, platform=PLATFORM, home=tmp_path, add_on=tmp_path)
    assert f"holds no folder named {OPENTOFU}" in caught.value.what
    assert "tofu providers mirror" in caught.value.hint
    unpacked(tmp_path / "implied/opentofu/plugins")
    implied = {"XDG_DATA_HOME": str(tmp_path / "implied")}
    found = find_mirror(implied, registry=OPENTOFU, platform=PLATFORM, home=tmp_path, add_on=tmp_path)
    assert found is None


@pytest.mark.parametrize(
    ("make", "said"), [(False, "which is not a folder"), (True, f"which holds no folder named {REGISTRY}")]
)
def test_a_mirror_that_is_none_is_a_usage_problem(tmp_path: Path, make: bool, said: str) -> None:
    if make:
        (tmp_path / "named").mkdir()
    with pytest.raises(UsageProblem) as caught:
        find(tmp_path, {"PAYINFRA_PROVIDER_MIRROR": str(tmp_path / "named")})
    assert caught.value.exit_code is ExitCode.USAGE
    assert said in caught.value.what
    assert f"{REGISTRY}/hashicorp/aws/5.100.0/{PLATFORM}" in caught.value.hint
    assert "tofu" not in caught.value.hint


def test_the_configuration_sends_what_the_mirror_has_to_it_and_the_rest_to_the_registry(
    tmp_path: Path,
) -> None:
    mirror = unpacked(tmp_path / "mirror")
    (mirror / REGISTRY / "hashicorp/random").mkdir()
    (mirror / REGISTRY / "hashicorp/README").touch()
    text = config_text(Mirror(mirror, Origin.ADD_ON), tmp_path / "cache", REGISTRY)
    served = f'["{REGISTRY}/hashicorp/aws", "{REGISTRY}/hashicorp/random"]'
    assert f'plugin_cache_dir = "{tmp_path / "cache"}"' in text
    assert f'path    = "{mirror}"' in text
    assert f"include = {served}" in text
    assert f"exclude = {served}" in text


def test_an_implied_mirror_needs_no_words(tmp_path: Path) -> None:
    text = config_text(Mirror(tmp_path, Origin.IMPLIED), tmp_path / "cache", REGISTRY)
    assert "provider_installation" not in text
    assert "plugin_cache_dir" in text
    assert "plugin_cache_dir" not in config_text(None, None, REGISTRY)


class Setting:
    """One call of `configure` after another, in folders of their own."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.cache = folder / "cache"
        self.data = folder / "data"
        self.events: list[Event] = []
        self.home.mkdir()

    def configure(self, environment: Mapping[str, str], mirror: Mirror | None = None) -> dict[str, str]:
        return configure(
            environment,
            mirror=mirror,
            cache=self.cache,
            data_dir=self.data,
            registry=REGISTRY,
            home=self.home,
            emit=self.events.append,
        )


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    return Setting(tmp_path)


def test_a_configuration_is_written_and_named(setting: Setting, tmp_path: Path) -> None:
    variables = setting.configure({}, Mirror(unpacked(tmp_path / "mirror"), Origin.ADD_ON))
    assert variables == {"TF_CLI_CONFIG_FILE": str(setting.data / CONFIG_NAME)}
    assert "filesystem_mirror" in (setting.data / CONFIG_NAME).read_text()
    assert setting.cache.is_dir(), "Terraform refuses a cache folder that does not exist"


def test_a_variable_that_names_nothing_is_not_used(setting: Setting) -> None:
    variables = setting.configure({"TF_CLI_CONFIG_FILE": str(setting.home / "absent")})
    assert variables == {"TF_CLI_CONFIG_FILE": str(setting.data / CONFIG_NAME)}


def test_a_configuration_that_the_variable_names_is_left_alone(setting: Setting, tmp_path: Path) -> None:
    own = setting.home / "mine.tfrc"
    own.write_text("disable_checkpoint = true\n")
    mirror = Mirror(unpacked(tmp_path / "mirror"), Origin.SET)
    variables = setting.configure({"TF_CLI_CONFIG_FILE": str(own)}, mirror)
    assert variables == {"TF_CLI_CONFIG_FILE": str(own), "TF_PLUGIN_CACHE_DIR": str(setting.cache)}
    assert own.read_text() == "disable_checkpoint = true\n"
    assert not (setting.data / CONFIG_NAME).exists()
    assert setting.events == [
        Notice(f"PAYINFRA_PROVIDER_MIRROR is not used: {own} says where providers come from.")
    ]


def test_the_persons_own_configuration_is_named_to_terraform_without_a_word(setting: Setting) -> None:
    own = setting.home / "mine.tfrc"
    own.write_text("")
    assert setting.configure({"TF_CLI_CONFIG_FILE": str(own)})["TF_CLI_CONFIG_FILE"] == str(own)
    assert setting.events == []


def test_a_cache_of_the_persons_own_is_kept(setting: Setting) -> None:
    own = setting.home / ".terraformrc"
    own.write_text('plugin_cache_dir = "/elsewhere"\n')
    assert setting.configure({}) == {}
    own.write_text("")
    assert setting.configure({"TF_PLUGIN_CACHE_DIR": "/elsewhere"}) == {}


def test_the_file_in_the_home_folder_is_used_as_it_is_where_no_mirror_must_be_named(
    setting: Setting, tmp_path: Path
) -> None:
    (setting.home / ".terraformrc").write_text("disable_checkpoint = true\n")
    cache = {"TF_PLUGIN_CACHE_DIR": str(setting.cache)}
    assert setting.configure({}) == cache
    assert setting.configure({}, Mirror(tmp_path, Origin.IMPLIED)) == cache


def test_a_mirror_is_added_to_a_copy_of_the_file_in_the_home_folder(setting: Setting, tmp_path: Path) -> None:
    own = setting.home / ".terraformrc"
    own.write_text('credentials "example.org" {\n  token = "x"\n}\n')
    variables = setting.configure({}, Mirror(unpacked(tmp_path / "mirror"), Origin.ADD_ON))
    copy = Path(variables["TF_CLI_CONFIG_FILE"])
    assert 'credentials "example.org"' in copy.read_text()
    assert "filesystem_mirror" in copy.read_text()
    assert "plugin_cache_dir" in copy.read_text()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    own.write_text('plugin_cache_dir = "/elsewhere"\n')
    setting.configure({}, Mirror(tmp_path / "mirror", Origin.ADD_ON))
    assert copy.read_text().count("plugin_cache_dir") == 1


@pytest.mark.parametrize("text", ["provider_installation {\n}\n", '{"disable_checkpoint": true}'])
def test_a_file_that_decides_itself_yields_only_to_a_mirror_that_is_set(
    setting: Setting, tmp_path: Path, text: str
) -> None:
    (setting.home / ".terraformrc").write_text(text)
    mirror = unpacked(tmp_path / "mirror")
    assert setting.configure({}, Mirror(mirror, Origin.ADD_ON)) == {"TF_PLUGIN_CACHE_DIR": str(setting.cache)}
    variables = setting.configure({}, Mirror(mirror, Origin.SET))
    written = Path(variables["TF_CLI_CONFIG_FILE"]).read_text()
    assert text not in written
    assert "filesystem_mirror" in written
    assert setting.events == []


def test_opentofu_has_a_file_of_its_own(tmp_path: Path) -> None:
    xdg = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    own = tmp_path / "config/opentofu/tofurc"
    own.parent.mkdir(parents=True)
    own.touch()
    assert default_config(xdg, tmp_path, OPENTOFU) == own
    assert default_config(xdg, tmp_path, REGISTRY) is None
    assert default_config({}, tmp_path, OPENTOFU) is None
    (tmp_path / ".terraformrc").touch()
    assert default_config(xdg, tmp_path, OPENTOFU) == tmp_path / ".terraformrc"
    (tmp_path / ".tofurc").touch()
    assert default_config(xdg, tmp_path, OPENTOFU) == tmp_path / ".tofurc"
    assert default_config({}, tmp_path, REGISTRY) == tmp_path / ".terraformrc"


def test_without_a_cache_none_is_named(setting: Setting, tmp_path: Path) -> None:
    variables = configure(
        {},
        mirror=None,
        cache=None,
        data_dir=setting.data,
        registry=REGISTRY,
        home=setting.home,
        emit=ignore,
    )
    assert "plugin_cache_dir" not in Path(variables["TF_CLI_CONFIG_FILE"]).read_text()
