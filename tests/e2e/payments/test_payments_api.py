"""The payments function as deployed: gateway, role, table, bucket and replication are the real ones of the
embedded AWS, with IAM enforced."""

from __future__ import annotations

import functools
import json
import uuid
from collections import Counter
from typing import TYPE_CHECKING

import httpx
import pytest

from payinfra.local.faults import RegionBlackout, ReplicationPause

if TYPE_CHECKING:
    from tests.e2e.payments.conftest import Shop

ROLES = ("primary", "secondary")
CLIENTS = 50


def test_the_killer_case(shop: Shop, key: str, body: dict[str, object]) -> None:
    """Acknowledged by the primary, which is lost before it replicates; retried at the secondary."""
    control = shop.deployment.control
    paused = control.inject(ReplicationPause())
    try:
        first = shop.apis["primary"].post(key, body)
        assert first.status_code == 201, first.text
        lost = control.inject(RegionBlackout(shop.deployment.region("primary")))
        try:
            retried = shop.apis["secondary"].post(key, body)
        finally:
            control.clear(lost.fault_id)
    finally:
        control.clear(paused.fault_id)
    assert retried.status_code == 201, retried.text
    assert retried.json() == first.json()
    payment_id = first.json()["payment_id"]
    primary, secondary = (shop.settled(role, payment_id) for role in ROLES)
    assert primary == secondary
    assert [item["timestamp"]["N"] for item in primary] == ["0", str(body["timestamp"])]
    for role in ROLES:
        again = shop.apis[role].post(key, body)
        assert (again.status_code, again.json()) == (200, first.json())
        assert again.headers["Idempotent-Replayed"] == "true"


def test_different_bodies_in_cut_off_regions_are_noticed(
    shop: Shop, key: str, body: dict[str, object]
) -> None:
    control = shop.deployment.control
    paused = control.inject(ReplicationPause())
    try:
        one = shop.apis["primary"].post(key, body)
        other = shop.apis["secondary"].post(key, {**body, "amount": 1})
    finally:
        control.clear(paused.fault_id)
    assert (one.status_code, other.status_code) == (201, 201)
    payment_id = one.json()["payment_id"]
    # One timestamp: one payment has replaced the other, which is kept aside.
    shown = shop.until(
        lambda: [shop.apis[role].get(f"/{payment_id}") for role in ROLES],
        lambda answers: all(answer.status_code == 409 for answer in answers),
    )
    assert {problem(answer)["payment_id"] for answer in shown} == {payment_id}
    assert all("customer_id" not in answer.text for answer in shown)
    assert shop.apis["primary"].post(key, body).status_code == 409

    def told() -> list[str]:
        return [line for role in ROLES for line in shop.logged(role, payment_id) if '"conflict"' in line]

    assert shop.until(told, bool)
    with shop.as_operator() as role:
        decided_by(role, shop, payment_id)
    for each in ROLES:
        decided = shop.until(
            functools.partial(shop.apis[each].get, f"/{payment_id}"),
            lambda answer: answer.status_code == 200,
        )
        assert decided.json() == one.json()


def decided_by(role: str, shop: Shop, payment_id: str) -> None:
    """An operator finds the conflict, and lets the key stand for the payment of 4200."""
    run = functools.partial(shop.run, "conflicts", assume=role)
    listed = shop.until(
        lambda: json.loads(run("list", "--format", "json").stdout)["conflicts"],
        lambda found: any(each["payment_id"] == payment_id for each in found),
    )
    (conflict,) = (each for each in listed if each["payment_id"] == payment_id)
    assert {each["amount"] for each in conflict["payments"]} == {4200, 1}
    (mine,) = (each for each in conflict["payments"] if each["amount"] == 4200)
    done = run("resolve", payment_id, "--keep", mine["fingerprint"][:12], "--yes", "--format", "json")
    assert done.returncode == 0, done.stderr
    compared = shop.run("audit", "reconcile", "--dry-run", "--format", "json", assume=role)
    # What other tests have left may lack its object; what the role may not do would end with 4.
    assert compared.returncode in (0, 1), compared.stderr


def test_what_was_acknowledged_is_audited_though_the_bucket_refused(
    shop: Shop, key: str, body: dict[str, object]
) -> None:
    """The role may not put objects for a while. Payments get 201, and the stream writes the objects later."""
    with shop.denied("primary", "s3:PutObject"):
        made = [shop.apis["primary"].post(f"{key}-{number}", body) for number in range(3)]
        assert [answer.status_code for answer in made] == [201, 201, 201]
        ids = [answer.json()["payment_id"] for answer in made]
        assert not any(shop.objects("primary", payment_id) for payment_id in ids)
    for payment_id in ids:
        assert shop.until(lambda: shop.objects("primary", payment_id), bool)  # noqa: B023 - called at once


def test_the_gateway_says_what_the_document_says(shop: Shop) -> None:
    api = shop.apis["primary"]
    unknown = api.bare("GET", api.url.removesuffix("/payments") + "/nowhere")
    # Of a path that it does not know the emulator answers in its own words, not in the declared ones.
    assert unknown.status_code == 404
    wrong = httpx.request("PUT", api.url, headers={"x-api-key": api.key}, json={}, timeout=60)
    assert (wrong.status_code, wrong.headers["Allow"]) == (405, "GET, POST")
    missing = api.bare("GET", api.url)
    assert (missing.status_code, missing.headers["Cache-Control"]) == (403, "no-store")
    assert "x-api-key" in str(problem(missing)["detail"])


@pytest.mark.parametrize("role", ROLES)
def test_a_payment_is_made_replayed_shown_and_listed(
    shop: Shop, key: str, body: dict[str, object], role: str
) -> None:
    api = shop.apis[role]
    made = api.post(key, {**body, "description": "A book", "metadata": {"order": "17"}})
    assert made.status_code == 201, made.text
    replayed = api.post(key, {**body, "description": "A book", "metadata": {"order": "17"}})
    shown = api.get(f"/{made.json()['payment_id']}")
    listed = api.get(query={"customer_id": str(body["customer_id"])})
    assert (replayed.status_code, shown.status_code, listed.status_code) == (200, 200, 200)
    assert made.text == replayed.text == shown.text
    assert listed.json() == {"payments": [made.json()]}
    assert len(shop.objects(role, made.json()["payment_id"])) == 1


def test_a_cursor_of_one_region_goes_on_in_the_other(shop: Shop, key: str, body: dict[str, object]) -> None:
    made = [shop.apis["primary"].post(f"{key}-{n}", {**body, "amount": n}) for n in (1, 2)]
    assert [answer.status_code for answer in made] == [201, 201]
    query = {"customer_id": str(body["customer_id"]), "limit": "1"}
    first = shop.apis["primary"].get(query=query).json()
    query["cursor"] = first["next_cursor"]
    second = shop.until(
        lambda: shop.apis["secondary"].get(query=query), lambda answer: bool(answer.json().get("payments"))
    ).json()
    amounts = [page["payments"][0]["amount"] for page in (first, second)]
    assert sorted(amounts) == [1, 2]


def test_another_body_under_the_key_is_refused(shop: Shop, key: str, body: dict[str, object]) -> None:
    assert shop.apis["primary"].post(key, body).status_code == 201
    refused = shop.apis["primary"].post(key, {**body, "amount": 1})
    assert refused.status_code == 422
    assert refused.json()["type"] == "urn:problem:payments:idempotency-key-reused"


@pytest.mark.parametrize("role", ROLES)
def test_refusals_are_problems(shop: Shop, key: str, body: dict[str, object], role: str) -> None:
    api = shop.apis[role]
    invalid = api.post(key, {**body, "amount": 0, "currency": "eur", "description": "4111 1111 1111 1111"})
    assert (invalid.status_code, problem(invalid)["status"]) == (422, 422)
    assert {error["field"] for error in invalid.json()["errors"]} == {"/amount", "/currency"}
    card = api.post(key, {**body, "description": "4111 1111 1111 1111"})
    assert [error["field"] for error in card.json()["errors"]] == ["/description"]
    assert api.get("/pay_" + "0" * 40).status_code == 404
    assert problem(api.bare("GET", api.url))["status"] == 403
    headers = {"x-api-key": api.key, "Idempotency-Key": key, "Content-Type": "application/json"}
    not_json = httpx.post(api.url, content=b"{", headers=headers, timeout=60)
    assert (not_json.status_code, problem(not_json)["status"]) == (400, 400)


def problem(answer: httpx.Response) -> dict[str, object]:
    """The problem that an answer is."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    document = answer.json()
    assert isinstance(document, dict)
    assert {"type", "title", "detail", "request_id"} <= set(document)
    return document


@pytest.mark.parametrize("role", ROLES)
def test_health_needs_no_key(shop: Shop, role: str, body: dict[str, object]) -> None:
    """A container tells how it wrote its latest audit object, which a test may have prevented: pay first."""
    api = shop.apis[role]

    def paid_and_asked() -> httpx.Response:
        assert api.insist(f"e2e-{uuid.uuid4()}", body)[-1].status_code in {200, 201}
        return api.bare("GET", api.health_url)

    answer = shop.until(paid_and_asked, lambda told: told.json()["checks"]["audit"] == "ok")
    assert answer.status_code == 200
    assert answer.json()["region"] == shop.deployment.region(role)
    assert answer.json()["checks"] == {"table": "ok", "write": "ok", "audit": "ok"}


def test_fifty_clients_retry_one_key_in_both_regions(shop: Shop, key: str, body: dict[str, object]) -> None:
    """Last, because the embedded AWS starts a process for each client that asks at the same time.

    While those start, most get no answer in time and ask again: what is shown holds whatever they get.
    """
    answers = shop.at_once(lambda client: shop.apis[ROLES[client % 2]].insist(key, body), CLIENTS)
    assert all(answers), "a client never got an answer"
    assert {told[-1].status_code for told in answers} <= {200, 201}, Counter(
        answer.status_code for told in answers for answer in told
    )
    assert len({told[-1].text for told in answers}) == 1
    payment_id = answers[0][-1].json()["payment_id"]
    primary, secondary = (shop.settled(role, payment_id) for role in ROLES)
    assert primary == secondary
    assert len(primary) == 2
    names = {name for role in ROLES for name in shop.objects(role, payment_id)}
    assert len(names) == 1
