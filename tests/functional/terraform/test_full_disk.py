"""The disk is full in mid-apply, of a real Terraform: what was made is known, and the next run goes on."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.events import Action, Event, Notice, ResourceFinished
from payinfra.terraform import Terraform, find_binary
from payinfra.terraform.disk_reserve import SIZE

ROOM = 4 << 20
AFTER = 12
ALL = {"terraform_data.fill", *(f"terraform_data.after_{number}" for number in range(AFTER))}
FILL = "test ! -e ../fill-it || dd if=/dev/zero of=../filler bs=64k 2>/dev/null; true"


def mounted(folder: Path) -> bool:
    """Make the folder a file system with little more than the reserve, where this user may."""
    options = f"size={2 * SIZE + ROOM},uid={os.getuid()}"
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    tries = (mount, ["sudo", "-n", *mount])
    return any(
        shutil.which(one[0]) and subprocess.run(one, check=False, capture_output=True).returncode == 0
        for one in tries
    )


def stack(folder: Path) -> None:
    """A resource that fills the disk if the file `fill-it` is there, and others after it, each of 20 kB."""
    others: dict[str, object] = {
        f"after_{number}": {"input": "x" * 20_000, "depends_on": ["terraform_data.fill"]}
        for number in range(AFTER)
    }
    fill = {"provisioner": [{"local-exec": {"command": FILL}}]}
    folder.mkdir()
    (folder / "cdk.tf.json").write_text(
        json.dumps(
            {
                "terraform": {"backend": {"local": {"path": "terraform.tfstate"}}},
                "resource": {"terraform_data": {"fill": fill, **others}},
            }
        )
    )


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk with the file `fill-it`; where nothing can be mounted, a folder without it."""
    folder = tmp_path / "disk"
    folder.mkdir()
    small = mounted(folder)
    stack(folder / "stack")
    if small:
        (folder / "fill-it").touch()
    try:
        yield folder
    finally:
        if small:
            sudo = [] if os.getuid() == 0 else ["sudo", "-n"]
            subprocess.run([*sudo, "umount", str(folder)], check=True)


def deploy(folder: Path, events: list[Event]) -> None:
    terraform = Terraform(
        binary=find_binary(None),
        folder=folder / "stack",
        data_dir=folder / "data",
        log=folder / "terraform.log",
        environment=os.environ,
        emit=events.append,
    )
    terraform.init()
    terraform.plan(folder / "saved.tfplan")
    terraform.apply(folder / "saved.tfplan")


def problem_of(folder: Path, events: list[Event]) -> EnvironmentUnusable | None:
    try:
        deploy(folder, events)
    except EnvironmentUnusable as error:
        return error
    return None


def made(events: list[Event]) -> set[str]:
    created = [one for one in events if isinstance(one, ResourceFinished) and one.action is Action.CREATE]
    return {one.address for one in created}


def in_state(folder: Path) -> set[str]:
    last_resort = folder / "stack" / "errored.tfstate"
    last = last_resort if last_resort.exists() and last_resort.stat().st_size else None
    state = json.loads((last or folder / "stack" / "terraform.tfstate").read_text())
    return {f"terraform_data.{one['name']}" for one in state["resources"] if one["instances"]}


def test_what_was_made_is_in_the_state_and_the_next_run_makes_the_rest(disk: Path) -> None:
    first: list[Event] = []
    problem = problem_of(disk, first)
    if problem is not None:
        assert problem.what == "terraform apply failed: the disk is full."
        assert "What was made is" in problem.hint
    known = in_state(disk)
    assert known >= made(first) | {"terraform_data.fill"}
    said = [one.message for one in first if isinstance(one, Notice)]
    assert any("The disk is full" in one for one in said) is (disk / "filler").exists(), said
    assert not (disk / "data" / "reserve").exists()

    for name in ("filler", "fill-it"):
        (disk / name).unlink(missing_ok=True)
    second: list[Event] = []
    deploy(disk, second)
    assert made(second) | known == ALL
    assert not made(second) & known


def test_without_room_for_the_reserve_nothing_is_made(disk: Path) -> None:
    events: list[Event] = []
    left = shutil.disk_usage(disk).free
    (disk / "fill-it").unlink(missing_ok=True)
    if left < 3 * SIZE:
        (disk / "filler").write_bytes(bytes(left - SIZE // 2))
        with pytest.raises(EnvironmentUnusable, match="16 MB must be free"):
            deploy(disk, events)
        assert made(events) == set()
        (disk / "filler").unlink()
    deploy(disk, events)
    assert made(events) == ALL
