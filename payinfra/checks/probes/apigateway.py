"""The API of each region: its stage, plan and key, and what it answers to a client."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from payinfra.checks.probes import canaries
from payinfra.checks.probes.model import ProbeContext, RegionUnderTest, all_of, differences, paired, regional
from payinfra.checks.verdicts import Severity, Verdict, Verdicts
from payinfra.clients.aws_errors import NotYet
from payinfra.clients.http import HttpResponse
from payinfra.clients.payments_api import PaymentsApi, read_api_key
from payinfra.core.canary_contract import is_among
from payinfra.core.naming import API_DEPLOYMENT

if TYPE_CHECKING:
    from mypy_boto3_apigateway.type_defs import DomainNameResponseTypeDef, StageResponseTypeDef

HEALTH_WITHIN_S = 2.0
TLS_POLICY = "TLS_1_2"
"""Of custom domains. A test holds it to the stack's."""
_EVERY = "*/*"
"""How a stage's settings for all methods are called."""
_NOBODYS = "payinfra-verify"
"""The id of no payment."""


@dataclass(frozen=True)
class ServedRoute:
    """A method of a path that the function answers."""

    method: str
    path: str


ROUTES = (
    ServedRoute("POST", "/payments"),
    ServedRoute("GET", "/payments"),
    ServedRoute("GET", "/payments/{payment_id}"),
    ServedRoute("GET", "/health"),
    ServedRoute("GET", "/evacuation"),
    ServedRoute("OPTIONS", "/payments"),
    ServedRoute("OPTIONS", "/payments/{payment_id}"),
)
"""The API's methods that lead to the function. A test holds them to the stack's."""


@regional(
    "LIVE-API-001",
    title="The stage logs, traces and throttles as declared",
    severity=Severity.HIGH,
    risk="Requests leave no trace, or a burst of them takes the whole account's share.",
    fix="Deploy again: the stage was changed outside Terraform.",
)
def stage_is_as_declared(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """API Gateway: GetStage."""
    api, limits = site.declared.api, live.declared.limits
    stage = live.aws.apigateway(site.region).get_stage(restApiId=api.id, stageName=api.stage)
    return all_of(_stage_faults(stage, site, limits.rate, limits.burst))


def _stage_faults(
    stage: "StageResponseTypeDef", site: RegionUnderTest, rate: float, burst: int
) -> Iterator[str]:
    destination = stage.get("accessLogSettings", {}).get("destinationArn", "")
    if not destination.removesuffix(":*").endswith(f":{site.declared.log_groups.access}"):
        yield f"access logs go to {destination or 'nowhere'}, declared is {site.declared.log_groups.access}"
    if not stage.get("tracingEnabled"):
        yield "tracing is off"
    if stage.get("cacheClusterEnabled"):
        yield "it has a cache, which is paid for by the hour"
    if canary := stage.get("canarySettings", {}).get("percentTraffic"):
        yield f"{canary:g} % of requests go to another deployment"
    settings = {name: one for name, one in stage.get("methodSettings", {}).items() if _is_ours(name)}
    if _EVERY not in settings:
        yield "it has no settings for all methods"
    for name, one in sorted(settings.items()):
        where = "" if name == _EVERY else f"{name}: "
        compared = (
            ("requests a second", one.get("throttlingRateLimit"), rate),
            ("burst", one.get("throttlingBurstLimit"), burst),
            ("logging of bodies", one.get("dataTraceEnabled"), False),
            ("caching", one.get("cachingEnabled", False), False),
            *((("log level", one.get("loggingLevel"), "INFO"),) if name == _EVERY else ()),
            *((("metrics", one.get("metricsEnabled"), True),) if name == _EVERY else ()),
        )
        yield from (f"{where}{phrase}" for phrase in differences(compared))


def _is_ours(name: str) -> bool:
    """Whether settings of a stage are of all methods, or of one of payinfra's: a project may add its own."""
    path = name.rpartition("/")[0].replace("~1", "/")
    return name == _EVERY or f"/{path.strip('/')}" in {route.path for route in ROUTES}


@regional(
    "LIVE-API-002",
    title="The health page answers 200 without a key, within 2 seconds, and names its region",
    severity=Severity.CRITICAL,
    risk="Route 53 asks this page: while it fails, clients are sent to the other region.",
    fix="Look at the function's log group, and at the stage's access log.",
    within_s=45,
)
def health_page_answers(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """HTTP: GET /health at the regional endpoint."""
    answer = regional_api(live, site).health()
    said = answer.fields()
    if answer.status != 200:
        raise NotYet(f"the health page answered {answer.said()}")
    if answer.seconds > HEALTH_WITHIN_S:
        raise NotYet(f"the health page took {answer.seconds:.1f} s")
    faults = [*differences((("the region it names", said.get("region"), site.region),))]
    if not said.get("version"):
        faults.append("it names no version")
    return all_of(faults, f"version {said.get('version')} in {answer.seconds * 1000:.0f} ms")


@regional(
    "LIVE-API-003",
    title="Without an API key, making, listing and reading payments are refused with 403",
    severity=Severity.CRITICAL,
    risk="Anyone can make payments, or read customers' payments.",
    fix="Require the API key on POST and GET below /payments, and deploy.",
)
def a_key_is_needed(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """HTTP: GET and POST /payments without a key, with a body that makes no payment where it gets through."""
    api = regional_api(live, site)
    asked: tuple[tuple[str, Callable[[], HttpResponse]], ...] = (
        ("POST /payments", partial(api.post, {})),
        ("GET /payments", api.newest),
        ("GET /payments/{payment_id}", partial(api.get, _NOBODYS)),
    )
    answers = [(what, ask()) for what, ask in asked]
    for what, answer in answers:
        if answer.status >= 500 or answer.status == 429:
            raise NotYet(f"{what} answered {answer.said()}")
    return all_of(f"{what} answered {answer.said()}" for what, answer in answers if answer.status != 403)


@regional(
    "LIVE-API-004",
    title="A payment with the API key is recorded once, and read: 201, and 200 for its replay",
    severity=Severity.CRITICAL,
    risk="Payments fail or cannot be read, or one request is charged twice.",
    fix="Look at the function's log group; check the plan, the key and the table of the region.",
    within_s=30,
)
def a_payment_is_recorded_once(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """HTTP: POST /payments twice with one idempotency key, and GET; SSM for the API key."""
    api = keyed_api(live, site)

    def read(payment_id: str) -> None:
        live.patience.poll(lambda: api.read(payment_id))
        # A function of one's own may list payments differently, or not at all.
        if not live.declared.canary.is_own:
            live.patience.poll(api.read_newest)

    faults, paid = pay_twice(live, site, api, site.region, read)
    return all_of(faults, f"{paid.status} in {paid.seconds * 1000:.0f} ms")


def regional_api(live: ProbeContext, site: RegionUnderTest, *, key: str = "") -> PaymentsApi:
    """The API at the regional endpoint; without a key, none is sent."""
    return PaymentsApi(live.http, site.outputs.api_endpoint, key)


def keyed_api(live: ProbeContext, site: RegionUnderTest) -> PaymentsApi:
    """The API at the regional endpoint, with the API key that the region's parameter holds."""
    return regional_api(live, site, key=read_api_key(live.aws, site.outputs))


def _look_no_further(_payment_id: str) -> None:
    """Nothing more is done with a payment."""


def pay_twice(
    live: ProbeContext,
    site: RegionUnderTest,
    api: PaymentsApi,
    where: str,
    then: Callable[[str], None] = _look_no_further,
) -> tuple[Sequence[str], HttpResponse]:
    """Send a canary's payment, send it again, and remove it.

    Args:
        site: where it is recorded.
        where: tells this payment from the run's others.
        then: is called with the payment's id before it is removed.

    Returns:
        What is wrong with the two answers, and the first of them.

    Raises:
        NotYet: it was refused.
    """
    canary, contract = canaries.payment(live, where), live.declared.canary
    sent: list[str] = []
    payment_id = ""  # what is recorded although its answer was lost is swept up at the end of the run

    def send() -> HttpResponse:
        sent.append(canary.key)
        return api.pay(canary)

    try:
        paid = live.patience.poll(send)
        payment_id = str(paid.fields().get(contract.id_field, ""))
        # Where the first answer was lost on its way, the second is a replay already.
        first = contract.accepted if len(sent) == 1 else (str(paid.status),)
        replay = live.patience.poll(send)
        then(payment_id)
    finally:
        live.patience.poll(lambda: canaries.remove_payment(live, site, payment_id))
    faults = [
        *_unlike("the status", paid.status, first),
        *_unlike("the replay's status", replay.status, contract.replayed),
        *(["the replay is another payment"] if replay.fields().get(contract.id_field) != payment_id else []),
    ]
    return [f"{api.name}{fault}" for fault in faults], paid


def _unlike(what: str, status: int, statuses: tuple[str, ...]) -> tuple[str, ...]:
    if is_among(status, statuses):
        return ()
    wanted = ", ".join(statuses)
    return (f"{what} is {status}, declared is {wanted}",)


@regional(
    "LIVE-API-005",
    title="The API key alone is joined to the usage plan, whose limits are as declared",
    severity=Severity.HIGH,
    risk="Clients with the right key are refused, or others pay, or use more than they may.",
    fix="Deploy again: the plan was changed outside Terraform. Delete keys and plans that nobody declared.",
)
def key_is_in_the_plan(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """API Gateway: GetUsagePlan, GetUsagePlanKeys, GetUsagePlans."""
    client, api, limits = live.aws.apigateway(site.region), site.declared.api, live.declared.limits
    plan = client.get_usage_plan(usagePlanId=api.usage_plan_id)
    pages = client.get_paginator("get_usage_plan_keys").paginate(
        usagePlanId=api.usage_plan_id, PaginationConfig={"PageSize": 500}
    )
    keys = [one for page in pages for one in page.get("items", [])]
    throttle, quota = plan.get("throttle", {}), plan.get("quota", {})
    faults = [
        *differences(
            (
                ("requests a second", throttle.get("rateLimit"), limits.rate),
                ("burst", throttle.get("burstLimit"), limits.burst),
                ("quota", quota.get("limit"), limits.daily_quota),
                ("quota's period", quota.get("period"), "DAY"),
            )
        )
    ]
    stages = [(one.get("apiId"), one.get("stage")) for one in plan.get("apiStages", [])]
    if (api.id, api.stage) not in stages:
        faults.append(f"the plan does not cover stage {api.stage} of {api.id}")
    if any(one.get("throttle") for one in plan.get("apiStages", [])):
        faults.append("the plan has limits for single methods")
    if site.outputs.api_key_id not in [key.get("id") for key in keys]:
        faults.append(f"API key {site.outputs.api_key_id} is not in the plan")
    names = live.outputs.names
    known = {names.api_key, names.next_api_key, names.former_api_key}
    faults += (
        f"API key {key.get('id')} ({key.get('name')}), which was not declared, is in the plan"
        for key in keys
        if key.get("id") != site.outputs.api_key_id and key.get("name") not in known
    )
    faults += (f"usage plan {other} covers the stage as well" for other in _other_plans(live, site))
    return all_of(faults)


def _other_plans(live: ProbeContext, site: RegionUnderTest) -> Iterator[str]:
    """The ids of usage plans of others by which a key may call the stage."""
    api = site.declared.api
    pages = live.aws.apigateway(site.region).get_paginator("get_usage_plans")
    for page in pages.paginate(PaginationConfig={"PageSize": 500}):
        for plan in page.get("items", []):
            covered = [(one.get("apiId"), one.get("stage")) for one in plan.get("apiStages", [])]
            if plan.get("id") != api.usage_plan_id and (api.id, api.stage) in covered:
                yield plan.get("id", "")


@paired(
    "LIVE-API-006",
    title="Both regions have the same, enabled API key",
    severity=Severity.CRITICAL,
    risk="After a failover every client is refused with 403.",
    fix="Deploy again: the secondary's key takes the primary's value.",
)
def same_key_in_both_regions(live: ProbeContext) -> Verdicts:
    """API Gateway: GetApiKey, compared by hash."""
    keys = [
        live.aws.apigateway(site.region).get_api_key(apiKey=site.outputs.api_key_id, includeValue=True)
        for site in live.sites
    ]
    faults = [
        f"the key in {site.region} is disabled"
        for site, key in zip(live.sites, keys, strict=True)
        if not key.get("enabled")
    ]
    if len({hidden(key.get("value", "")) for key in keys}) != 1:
        faults.append("the keys' values differ")
    return all_of(faults)


def hidden(value: str) -> str:
    """A secret as something that can be compared."""
    return hashlib.sha256(value.encode()).hexdigest()


@regional(
    "LIVE-API-007",
    title="Custom domains are available, with the declared certificate and TLS, and lead to the stage",
    severity=Severity.HIGH,
    risk="The names of one's own lead nowhere in this region.",
    fix="Deploy again; a domain that is not available yet needs its certificate.",
)
def domains_lead_to_the_stage(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """API Gateway: GetDomainName, GetBasePathMappings."""
    if not live.declared.dns.delegated:
        return Verdict.not_applicable("the environment has no domain of its own")
    client, api = live.aws.apigateway(site.region), site.declared.api
    faults: list[str] = []
    for name in (live.outputs.failover_domain, live.outputs.latency_domain):
        domain = client.get_domain_name(domainName=name)
        status = domain.get("domainNameStatus")
        if status == "UPDATING":
            raise NotYet(f"{name} is UPDATING")
        if status != "AVAILABLE":
            faults.append(f"{name} is {status}")
        faults += (f"{name}: {phrase}" for phrase in differences(_transport(live, site, domain)))
        pages = client.get_paginator("get_base_path_mappings").paginate(domainName=name)
        found = [
            (one.get("basePath"), one.get("restApiId"), one.get("stage"))
            for page in pages
            for one in page.get("items", [])
        ]
        if ("(none)", api.id, api.stage) not in found:
            faults.append(f"{name} does not lead to stage {api.stage} of {api.id}")
    return all_of(faults)


def _transport(
    live: ProbeContext, site: RegionUnderTest, domain: "DomainNameResponseTypeDef"
) -> tuple[tuple[str, object, object], ...]:
    """How clients connect to a custom domain."""
    certificates = dict(zip((one.region for one in live.sites), live.declared.dns.certificates, strict=False))
    found = domain.get("regionalCertificateArn")
    clients = domain.get("mutualTlsAuthentication", {}).get("truststoreUri")
    return (
        ("TLS", domain.get("securityPolicy", TLS_POLICY), TLS_POLICY),
        ("certificate", found, certificates.get(site.region, found)),
        ("client certificates' store", clients, None),
    )


@regional(
    "LIVE-API-008",
    title="The account lets API Gateway write execution logs",
    severity=Severity.LOW,
    risk="What API Gateway did with a request cannot be found out.",
    fix="Set the account's CloudWatch role for API Gateway in this region; it belongs to no environment.",
)
def gateway_may_log(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """API Gateway: GetAccount. One setting an account and region, so that it is only a warning here."""
    if not live.is_aws:
        return Verdict.not_applicable("the embedded AWS writes no execution logs")
    account: Mapping[str, object] = live.aws.apigateway(site.region).get_account()
    if account.get("cloudwatchRoleArn"):
        return Verdict.passed()
    return Verdict.warn("the account has no CloudWatch role for API Gateway in this region")


@paired(
    "LIVE-API-009",
    title="Both regions serve the deployed methods, and each leads to the function that was deployed",
    severity=Severity.CRITICAL,
    risk="Requests reach another function or none, in one region only perhaps; or nobody may send any.",
    fix="Deploy again: the API was changed outside Terraform. Point the stage at Terraform's deployment.",
)
def methods_lead_to_the_function(live: ProbeContext) -> Verdicts:
    """API Gateway: GetRestApi, GetResources, GetStage, GetDeployment."""
    faults: list[str] = []
    served: list[str] = []
    for site in live.sites:
        client, api = live.aws.apigateway(site.region), site.declared.api
        rest = client.get_rest_api(restApiId=api.id)
        stage = client.get_stage(restApiId=api.id, stageName=api.stage)
        deployment = client.get_deployment(restApiId=api.id, deploymentId=stage.get("deploymentId", ""))
        served.append(deployment.get("description", ""))
        compared = (
            ("endpoint's disabling", rest.get("disableExecuteApiEndpoint", False), False),
            ("source of API keys", rest.get("apiKeySource", "HEADER"), "HEADER"),
            ("resource policy", rest.get("policy") or None, None),
        )
        said = (*differences(compared), *_route_faults(live, site))
        faults += (f"{site.region}: {phrase}" for phrase in said)
    shown = " and ".join(repr(one) for one in served)
    if len(set(served)) > 1:
        faults.append(f"the stages serve different deployments: {shown}")
    elif not all(one.startswith(API_DEPLOYMENT) for one in served):
        faults.append(f"the stages serve deployments that Terraform did not make: {shown}")
    return all_of(faults)


def needs_key(route: ServedRoute) -> bool:
    """Whether the API key is required: not for health pages, nor for a preflight of a browser."""
    return route.method != "OPTIONS" and route.path.startswith("/payments")


def _route_faults(live: ProbeContext, site: RegionUnderTest) -> Iterator[str]:
    """What is wrong with the API's methods as they are configured: what the stage serves, and the next
    deployment of it."""
    api, function = site.declared.api, site.declared.function
    target = f"{site.outputs.lambda_function_arn}:{function.alias}/invocations"
    pages = live.aws.apigateway(site.region).get_paginator("get_resources")
    found = {
        one.get("path"): one.get("resourceMethods", {})
        for page in pages.paginate(restApiId=api.id, embed=["methods"], PaginationConfig={"PageSize": 500})
        for one in page.get("items", [])
    }
    for route in ROUTES:
        method = found.get(route.path, {}).get(route.method)
        if method is None:
            yield f"there is no {route.method} {route.path}"
            continue
        uri = method.get("methodIntegration", {}).get("uri", "")
        compared = (
            ("authorization", method.get("authorizationType"), "NONE"),
            ("need of a key", method.get("apiKeyRequired", False), needs_key(route)),
        )
        yield from (f"{route.method} {route.path}: {phrase}" for phrase in differences(compared))
        if not uri.endswith(target):
            yield f"{route.method} {route.path} leads to {uri or 'nothing'}"
