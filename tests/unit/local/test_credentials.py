"""The account's key: random, kept for its owner only, made where there is none."""

from pathlib import Path

import pytest

from payinfra.core.errors import EnvironmentUnusable
from payinfra.local import lifecycle
from payinfra.local.credentials import (
    keep_access_key,
    known_access_key,
    new_access_key,
    read_access_key,
)
from payinfra.local.endpoints import StateFolder


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    return StateFolder(tmp_path)


def test_a_key_is_random_and_no_shell_has_to_quote_it() -> None:
    made = {new_access_key() for _ in range(50)}
    assert len({key.access_key_id for key in made}) == len({key.secret_access_key for key in made}) == 50
    for key in made:
        assert len(key.access_key_id) == 20
        assert len(key.secret_access_key) == 40
        assert (key.access_key_id + key.secret_access_key).replace("-", "").replace("_", "").isalnum()


def test_a_key_is_shown_without_its_secret() -> None:
    key = new_access_key()
    assert key.access_key_id in repr(key)
    assert key.secret_access_key not in repr(key)


def test_a_folder_keeps_its_key_and_only_its_owner_reads_it(folder: StateFolder) -> None:
    assert read_access_key(folder) is None
    key = keep_access_key(folder)
    folder.credentials.chmod(0o644)
    assert keep_access_key(folder) == read_access_key(folder) == known_access_key(folder) == key
    assert lifecycle.access_key(folder.root) == key
    assert folder.credentials.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"access_key_id": "AKIA"}',
        '{"access_key_id": "test", "secret_access_key": "test"}',
        '{"access_key_id": "AKIAABCDEFGHIJKLMNOP", "secret_access_key": "$(reboot)"}',
        '{"access_key_id": "AKIAABCDEFGHIJKLMNOP", "secret_access_key": 1}',
    ],
)
def test_a_damaged_file_is_no_key_and_is_written_anew(folder: StateFolder, text: str) -> None:
    folder.credentials.write_text(text)
    assert read_access_key(folder) is None
    with pytest.raises(EnvironmentUnusable, match="has no credentials") as told:
        known_access_key(folder)
    assert "payinfra local down" in told.value.hint
    assert keep_access_key(folder) == read_access_key(folder)
