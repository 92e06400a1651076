"""What a payment looks like, where a function of the project's says so."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from payinfra import stacks
from payinfra.core.canary_contract import PAYMENTS
from payinfra.core.errors import UsageProblem
from payinfra.core.settings import Settings
from payinfra.stacks.canary_loading import canary_of

HEAD = "import json\nfrom dataclasses import replace\n\ndef contract(settings):\n    "
WITH_MERCHANT = (
    'body = {**json.loads(settings.canary.body), "merchant_id": "m-1"}\n'
    "    return replace(settings.canary, body=json.dumps(body))\n"
)


def project(folder: Path, text: str, toml: str = "") -> Settings:
    (folder / "canary.py").write_text(text)
    (folder / "payinfra.toml").write_text(f'[canary]\nfunction = "canary:contract"\n{toml}')
    return Settings.resolve({"env": "shop"}, folder=folder, environ={})


def test_it_makes_the_contract_from_what_the_settings_say(tmp_path: Path) -> None:
    made = canary_of(project(tmp_path, HEAD + WITH_MERCHANT, "accepted = [202]\n"))
    assert json.loads(made.body) == {**json.loads(PAYMENTS.body), "merchant_id": "m-1"}
    assert (made.accepted, made.is_own) == (("202",), True)


def test_without_one_the_settings_say_it(tmp_path: Path) -> None:
    settings = Settings.resolve({"env": "shop", "canary_accepted": "202"}, folder=tmp_path, environ={})
    assert canary_of(settings) == replace(PAYMENTS, accepted=("202",))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{HEAD}raise ValueError('no')\n", "canary.py:5: ValueError: no."),
        (f"{HEAD}return {{}}\n", "canary:contract returned a dict"),
        (f'{HEAD}return replace(settings.canary, body="{{}}")\n', "canary:contract: body has no {customer}"),
        ("def contract(): ...\n", "contract in canary.py cannot be called with one argument"),
        ("contract = 1\n", "contract in canary.py cannot be called"),
        ("def contracts(settings): ...\n", "canary.py has no function 'contract'; did you mean 'contracts'?"),
        ("import no_such\n", "canary.py:1: it needs the module 'no_such'"),
    ],
)
def test_what_cannot_be_is_one_message(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        canary_of(project(tmp_path, text))
    assert said in caught.value.what
    assert caught.value.hint


def test_it_is_held_against_the_functions_schema_before_anything_is_synthesized(tmp_path: Path) -> None:
    schemas = tmp_path / "handlers" / "payments" / "schemas"
    schemas.mkdir(parents=True)
    (schemas.parent / "handler.py").write_text("PATH = '/health'\ndef handle(event, context): ...\n")
    (schemas / "payment.json").write_text('{"required": ["shop_id"]}')
    with pytest.raises(UsageProblem, match=r"must contain \['shop_id'\]"):
        stacks.synthesize(
            project(tmp_path, HEAD + WITH_MERCHANT), out=tmp_path / "out", handlers=tmp_path / "handlers"
        )
    assert not (tmp_path / "out").exists()
