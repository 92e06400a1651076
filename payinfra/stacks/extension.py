"""What a company adds to the stack: the handles that its function `extend(stack, primary, secondary)` gets.

    from cdktf_cdktf_provider_aws.sqs_queue import SqsQueue

    def extend(stack, primary, secondary):
        for region in stack.regions:
            queue = SqsQueue(*region.at("orders"), provider=region.provider, name=region.name("orders"))
            region.grant("Orders", ["sqs:SendMessage"], [queue.arn])
            region.environment("ORDERS_QUEUE_URL", queue.url)

The function is called once a synthesis, after everything of payinfra's own is there.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from cdktf import (
    ITerraformDependable,
    TerraformDataSource,
    TerraformElement,
    TerraformModule,
    TerraformOutput,
    TerraformProvider,
    TerraformResource,
    TerraformStack,
    Token,
)
from cdktf_cdktf_provider_aws.provider import AwsProvider

from payinfra.core.errors import UsageProblem
from payinfra.core.naming import Names
from payinfra.core.outputs import COMMON_OUTPUTS, REGION_OUTPUTS, SECONDARY_PREFIX
from payinfra.core.settings import Settings
from payinfra.stacks.component import StackComponent
from payinfra.stacks.iam_documents import Condition, StatementProps
from payinfra.stacks.payments_function import RESERVED_VARIABLES
from payinfra.stacks.region import Region

METADATA = "payinfra"
"""The key, in the comment of cdk.tf.json, of what an extension has added."""
EMULATED = (
    *("aws_acm_", "aws_api_gateway_", "aws_cloudwatch_", "aws_dynamodb_", "aws_iam_", "aws_kms_"),
    *("aws_lambda_", "aws_route53_", "aws_s3_", "aws_sns_", "aws_sqs_", "aws_ssm_"),
)
NOT_EMULATED = ("aws_cloudwatch_event_",)
"""What the types of resources that the embedded AWS has begin with, and those of them that it has not."""


@dataclass(frozen=True)
class NamingArgument:
    """The argument that names a resource, of which a region has one only, and how long the name may be.

    AWS refuses a second one, gives out the first (a topic, a queue) or writes over it (an alarm), as its API
    references say; they have the lengths, too.
    """

    name: str
    longest: int


_NAMED_BY: Mapping[str, NamingArgument] = MappingProxyType(
    {
        "aws_cloudwatch_dashboard": NamingArgument("dashboard_name", 255),
        "aws_cloudwatch_log_group": NamingArgument("name", 512),
        "aws_cloudwatch_metric_alarm": NamingArgument("alarm_name", 255),
        "aws_dynamodb_table": NamingArgument("name", 255),
        "aws_iam_policy": NamingArgument("name", 128),
        "aws_iam_role": NamingArgument("name", 64),
        "aws_kms_alias": NamingArgument("name", 256),
        "aws_lambda_function": NamingArgument("function_name", 64),
        "aws_s3_bucket": NamingArgument("bucket", 63),
        "aws_sns_topic": NamingArgument("name", 256),
        "aws_sqs_queue": NamingArgument("name", 80),
        "aws_ssm_parameter": NamingArgument("name", 1011),
    }
)

_SID = re.compile(r"[A-Za-z0-9]{1,100}")
_ACTION = re.compile(r"[a-z0-9-]+:[A-Za-z0-9*?]+")
_VARIABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]+")
_OUTPUT = re.compile(r"[a-z][a-z0-9_]*")
_OF_LAMBDA = re.compile(r"AWS_.*|LAMBDA_.*|_.*|TZ|PATH|LANG|LD_LIBRARY_PATH|NODE_PATH|PYTHONPATH")
"""Lambda developer guide, "Defined runtime environment variables"."""
_THING = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass
class RegionExtension:
    """One region, as an extension may use it. Names and ARNs are those of what payinfra makes there.

    Attributes:
        role: `primary` or `secondary`.
        region, peer_region: this region's name, and the other's.
        provider: what each resource of this region takes as its `provider`.
        account: the account's number, which Terraform learns when it plans.
        names: the physical names of the environment.
        function_name, function_arn: the payments function's, without a version.
        alias_arn: of the alias that the API calls; what should call the function calls this.
        alias: the alias itself, for `depends_on`.
        function_role_name, function_role_arn: the function's role's.
        log_group_name: where the function logs.
        table_name, table_arn, stream_arn: the payments table's, in this region.
        audit_bucket_name, audit_bucket_arn: the audit bucket's.
        data_key_arn, audit_key_arn, application_key_arn: the region's customer keys of KMS.
        alarm_topic_arn: the topic that alarms publish to.
        api_id: the REST API's.
        endpoint: the URL that payments are POSTed to.
    """

    role: str
    region: str
    peer_region: str
    provider: AwsProvider
    account: str
    names: Names
    function_name: str
    function_arn: str
    alias_arn: str
    alias: ITerraformDependable
    function_role_name: str
    function_role_arn: str
    log_group_name: str
    table_name: str
    table_arn: str
    stream_arn: str
    audit_bucket_name: str
    audit_bucket_arn: str
    data_key_arn: str
    audit_key_arn: str
    application_key_arn: str
    alarm_topic_arn: str
    api_id: str
    endpoint: str
    _component: StackComponent
    _granted: dict[str, StatementProps] = field(default_factory=dict)
    _variables: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, role: str, region: Region) -> "RegionExtension":
        """The handle of a region whose resources are all there."""
        place, outputs, service = region.place, region.outputs, region.service
        return cls(
            role=role,
            region=place.region,
            peer_region=region.peer_region,
            provider=place.provider,
            account=place.account,
            names=place.names,
            function_name=service.function_name,
            function_arn=service.function_arn,
            alias_arn=service.alias.arn,
            alias=service.alias,
            function_role_name=service.role_name,
            function_role_arn=service.role_arn,
            log_group_name=service.log_group_name,
            table_name=outputs.dynamodb_table_name,
            table_arn=outputs.dynamodb_table_arn,
            stream_arn=region.stream_arn,
            audit_bucket_name=region.audit.name,
            audit_bucket_arn=region.audit.arn,
            data_key_arn=region.keys.data.arn,
            audit_key_arn=region.keys.audit.arn,
            application_key_arn=region.keys.application.arn,
            alarm_topic_arn=region.topic.arn,
            api_id=region.api.id,
            endpoint=region.endpoint,
            _component=region,
        )

    def at(self, id_: str) -> tuple[TerraformStack, str]:
        """The first two arguments of a resource: the stack, and an id that begins with the region's role.

        `at("orders")` makes `aws_sqs_queue.primary_orders` in the primary region.
        """
        return self._component.at(id_)

    def name(self, thing: str) -> str:
        """A physical name of the environment's, such as `payment-dev-orders`.

        The role that `payinfra ci-role` makes may deploy what is named so.

        Args:
            thing: lowercase words with single hyphens between them.

        Raises:
            UsageProblem: it is none.
        """
        if not _THING.fullmatch(thing):
            raise UsageProblem(
                f"name({thing!r}) is not possible.", "Use lowercase letters, digits and single inner hyphens."
            )
        return f"{self.names.stack}-{thing}"

    def arn(self, service: str, resource: str) -> str:
        """The ARN of something in this region and account, such as `arn("sqs", "payment-dev-orders")`."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"

    def grant(
        self,
        sid: str,
        actions: Sequence[str],
        resources: Sequence[str],
        condition: Condition | None = None,
    ) -> None:
        """Let the payments function of this region do something more.

        Args:
            sid: what it is for, in letters and digits; the id of the policy's statement.
            actions: such as `sqs:SendMessage`.
            resources: the ARNs that it is about.
            condition: as IAM writes it; None for none.

        Raises:
            UsageProblem: an id that is taken, or actions or resources that are none.
        """
        _refuse_text("grant", actions=actions, resources=resources)
        if not _SID.fullmatch(sid) or sid in self._granted:
            raise UsageProblem(
                f"grant({sid!r}, …): the id is {'taken' if sid in self._granted else 'not possible'}.",
                "Use letters and digits, and each id once in a region.",
            )
        if not actions or not resources or not all(map(_ACTION.fullmatch, actions)):
            raise UsageProblem(
                f"grant({sid!r}, …) needs actions such as sqs:SendMessage and the ARNs that they are about.",
                "Name at least one of each; '*' alone is no action.",
            )
        self._granted[sid] = StatementProps(sid, tuple(actions), tuple(resources), condition=condition or {})

    def environment(self, name: str, value: str) -> None:
        """Give the payments function of this region a variable. Its value is no secret: name one instead.

        Args:
            name: letters, digits and underscores, a letter first (Lambda's rule).
            value: text; references such as `queue.url` are welcome.

        Raises:
            UsageProblem: the name is payinfra's or Lambda's own, is taken or is not possible.
        """
        problem = (
            "is not possible"
            if not _VARIABLE.fullmatch(name)
            else "is Lambda's own"
            if _OF_LAMBDA.fullmatch(name)
            else "is payinfra's own"
            if name in RESERVED_VARIABLES
            else "is set already"
            if name in self._variables
            else ""
        )
        if problem:
            raise UsageProblem(
                f"environment({name!r}, …): the name {problem}.",
                "Choose another one: letters, digits and underscores, a letter first.",
            )
        if not isinstance(value, str):
            raise UsageProblem(
                f"environment({name!r}, …): the value is a {type(value).__name__}.", "Give it as text."
            )
        self._variables[name] = value

    @property
    def granted(self) -> tuple[StatementProps, ...]:
        """What `grant` was called for."""
        return tuple(self._granted.values())

    @property
    def variables(self) -> Mapping[str, str]:
        """What `environment` was called for."""
        return dict(self._variables)


@dataclass
class StackExtension:
    """The stack, as an extension may use it.

    Attributes:
        scope: the CDKTF stack: the first argument of a resource that belongs to no region.
        settings: the environment's settings.
        names: its physical names.
        tags: what everything is tagged with, by the providers.
        regions: the primary region, then the secondary.
    """

    scope: TerraformStack
    settings: Settings
    names: Names
    tags: Mapping[str, str]
    regions: tuple[RegionExtension, RegionExtension]
    _declared: dict[str, object] = field(default_factory=dict)
    _outputs: set[str] = field(default_factory=set)
    _permissions: list[dict[str, object]] = field(default_factory=list)

    @property
    def env(self) -> str:
        """The environment's name."""
        return self.settings.env

    def output(self, name: str, value: str, *, description: str = "", sensitive: bool = False) -> None:
        """Give a value out, under a name of one's own, in cfn-outputs and `payinfra outputs`.

        Args:
            name: lowercase letters, digits and underscores.
            value: text; references are welcome.
            sensitive: keep it out of the outputs' file: Terraform's state only has it.

        Raises:
            UsageProblem: the name is payinfra's own, is taken or is not possible.
        """
        ours = name in COMMON_OUTPUTS or name.removeprefix(SECONDARY_PREFIX) in REGION_OUTPUTS
        if ours or name in self._outputs or not _OUTPUT.fullmatch(name):
            why = "payinfra's own" if ours else "taken" if name in self._outputs else "not possible"
            raise UsageProblem(
                f"output({name!r}, …): the name is {why}.",
                "Choose another one, of lowercase letters, digits and underscores.",
            )
        self._outputs.add(name)
        TerraformOutput(
            self.scope,
            name,
            value=value,
            description=description or "From the project's extension",
            sensitive=sensitive or None,
        )

    def declare(self, name: str, value: object) -> None:
        """Say something that probes and drills may use: `outputs.declared.extension[name]`.

        Args:
            value: text, a number, a boolean, or lists and tables of them; references are welcome. No secret.

        Raises:
            UsageProblem: the name is taken, or the value is something else.
        """
        if name in self._declared or not _is_json(value):
            raise UsageProblem(
                f"declare({name!r}, …): "
                + ("the name is taken." if name in self._declared else "the value is not JSON."),
                "Declare each name once, with text, numbers, booleans, lists and tables.",
            )
        self._declared[name] = value

    def deploy_permissions(self, type_: str, actions: Sequence[str], resources: Sequence[str]) -> None:
        """Say what deploying a type of resource takes, for the role that `payinfra ci-role` makes.

        It is needed only for types that payinfra does not know: `payinfra ci-role` names them.

        Args:
            type_: the type, such as `aws_sfn_state_machine`; a data source's begins with `data.`.
            actions: such as `states:CreateStateMachine`.
            resources: ARNs; what begins with the environment's own name becomes a pattern of all those that
                the role may deploy.

        Raises:
            UsageProblem: actions or resources are none.
        """
        _refuse_text("deploy_permissions", actions=actions, resources=resources)
        if not actions or not resources or not all(map(_ACTION.fullmatch, actions)):
            raise UsageProblem(
                f"deploy_permissions({type_!r}, …) needs actions such as states:CreateStateMachine and ARNs.",
                "Name at least one of each.",
            )
        self._permissions.append({"type": type_, "actions": list(actions), "resources": list(resources)})

    @property
    def declared(self) -> Mapping[str, object]:
        """What `declare` was called for."""
        return dict(self._declared)


Extend = Callable[[StackExtension, RegionExtension, RegionExtension], object]
"""What a project extends the stack with."""


def run(stack: StackExtension, extend: Extend) -> None:
    """Call the function, judge what it has added, and note that in the comment of cdk.tf.json.

    Raises:
        UsageProblem: something was added that a deployment cannot take; the message names its address.
    """
    before = len(stack.scope.node.children)
    extend(stack, *stack.regions)
    added = [
        element
        for child in stack.scope.node.children[before:]
        for element in child.node.find_all()
        if isinstance(element, TerraformElement)
    ]
    types = sorted({kind for one in added if (kind := _accepted(one, stack))})
    _refuse_names(stack.scope.node.children[:before], added)
    data = sorted(kind for kind in types if kind.startswith("data."))
    stack.scope.add_override(
        f"//.{METADATA}",
        {
            "types": [kind for kind in types if kind not in data],
            "data": [kind.removeprefix("data.") for kind in data],
            "permissions": stack._permissions,
            "stack": stack.names.stack,
        },
    )


def _refuse_names(ours: Iterable[object], added: Sequence[TerraformElement]) -> None:
    """Refuse a name that another resource of its type and region has, payinfra's or its own, and a long one.

    Raises:
        UsageProblem: there is one; the message names the address, or both.
    """
    resources = [one for one in added if isinstance(one, TerraformResource)]
    types = {one.terraform_resource_type for one in resources} & set(_NAMED_BY)
    if not types:
        return
    there: dict[tuple[str, str, str], str] = {}
    standing = (one for one in ours if isinstance(one, TerraformResource))
    for one in (*standing, *resources):
        type_ = one.terraform_resource_type
        name = getattr(one, f"{_NAMED_BY[type_].name}_input") if type_ in types else None
        if not name or one.provider is None:
            continue
        address = f"{type_}.{one.friendly_unique_id}"
        # What is known only after a deployment cannot be measured: the provider does so.
        if not Token.is_unresolved(name) and len(name) > _NAMED_BY[type_].longest:
            raise UsageProblem(
                f"The extension adds {address} under a name of {len(name)} characters, {name!r}; AWS takes "
                f"{_NAMED_BY[type_].longest}.",
                "Give it a shorter one, or choose a shorter name_prefix or env.",
            )
        taken = there.setdefault((type_, one.provider.fqn, name), address)
        if taken != address:
            raise UsageProblem(
                f"The extension adds {address} under the name {name!r}, which {taken} has.",
                "Give it another one: `region.name(…)` with a word of its own.",
            )


def _accepted(element: TerraformElement, stack: StackExtension) -> str:
    """The type of a resource or, with `data.` before it, of a data source; empty for what is neither.

    Raises:
        UsageProblem: a deployment cannot take it.
    """
    if isinstance(element, TerraformModule | TerraformProvider):
        kind = "module" if isinstance(element, TerraformModule) else "provider"
        raise UsageProblem(
            f"The extension adds the {kind} {element.friendly_unique_id!r}.",
            "It may add resources and data sources of AWS's, outputs and locals. Use the regions' providers.",
        )
    if not isinstance(element, TerraformResource | TerraformDataSource):
        return ""
    prefix = "data." if isinstance(element, TerraformDataSource) else ""
    type_ = element.terraform_resource_type
    address = f"{prefix}{type_}.{element.friendly_unique_id}"
    if not type_.startswith("aws_"):
        raise UsageProblem(
            f"The extension adds {address}, which is not of AWS's provider.",
            "payinfra installs and locks that provider only.",
        )
    provider = element.provider
    ours = {region.provider.fqn for region in stack.regions}
    if provider is None or provider.fqn not in ours:
        raise UsageProblem(
            f"The extension adds {address} without a region's provider.",
            "Pass `provider=region.provider`; for what is global, `provider=primary.provider`.",
        )
    if stack.settings.is_local and (not type_.startswith(EMULATED) or type_.startswith(NOT_EMULATED)):
        raise UsageProblem(
            f"The extension adds {address}, and the embedded AWS has no such service.",
            "Leave it out where `stack.settings.is_local`, or deploy to AWS.",
        )
    return f"{prefix}{type_}"


def _refuse_text(function: str, **arguments: object) -> None:
    """Refuse one text where several are asked for: its letters would be taken one by one."""
    for name, value in arguments.items():
        if isinstance(value, str) or not isinstance(value, Iterable):
            raise UsageProblem(f"{function}(…): {name} must be a list of texts.", 'Write ["…"].')


def _is_json(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_json(each) for key, each in value.items())
    if isinstance(value, list | tuple):
        return all(map(_is_json, value))
    return value is None or isinstance(value, str | int | float | bool)
