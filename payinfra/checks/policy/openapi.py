"""Reads the OpenAPI document that an API of API Gateway is defined by: its operations and who may call them.

Source: API Gateway developer guide, "OpenAPI extensions" (x-amazon-apigateway-any-method, -auth, -authorizer,
-integration, -request-validator, -request-validators) and "Security schemes"; OpenAPI 2.0 and 3.0,
"Security Requirement Object".
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from payinfra.checks.manifest import Json, Missing, Resource, Unreadable, Unresolved, WrongType, is_literal
from payinfra.checks.manifest.templates import spans

_VERBS = frozenset({"delete", "get", "head", "options", "patch", "post", "put", "trace"})
_ANY = "x-amazon-apigateway-any-method"
_AUTH = "x-amazon-apigateway-auth"
_AUTHORIZER = "x-amazon-apigateway-authorizer"
_INTEGRATION = "x-amazon-apigateway-integration"
_VALIDATOR = "x-amazon-apigateway-request-validator"
POLICY = "x-amazon-apigateway-policy"
_KEY_HEADER = "x-api-key"


@dataclass(frozen=True)
class DocumentedOperation:
    """One verb of one path.

    Attributes:
        verb: in capitals; ANY for all that the path has not.
        path: `/payments/{payment_id}`.
        fields: what the document says of it.
    """

    verb: str
    path: str
    fields: Mapping[str, Json]
    definition: "Definition"

    @property
    def shown(self) -> str:
        """What a caller asks for, `POST /payments`."""
        return f"{self.verb} {self.path}"

    @property
    def integration(self) -> Mapping[str, Json]:
        """What answers it; empty where the document does not say."""
        return _fields(self.fields.get(_INTEGRATION))

    @property
    def guard(self) -> str:
        """What authorizes callers, in words; empty where nothing does."""
        own = _fields(self.fields.get(_AUTH)).get("type")
        if isinstance(own, str) and own.upper() == "AWS_IAM":
            return "AWS signatures authorize"
        listed = self.fields.get("security", self.definition.document.get("security"))
        # Any one of the requirements is enough; of one, all schemes are.
        guards = [self._guard_of(one) for one in listed] if isinstance(listed, list) else []
        return guards[0] if guards and all(guards) else ""

    def _guard_of(self, requirement: Json) -> str:
        schemes = [self.definition.guard_of(name) for name in _fields(requirement)]
        return next((one for one in schemes if one), "")

    @property
    def validates_body(self) -> bool:
        """Whether API Gateway looks at bodies before it calls what answers."""
        name = self.fields.get(_VALIDATOR, self.definition.document.get(_VALIDATOR))
        validators = _fields(self.definition.document.get(f"{_VALIDATOR}s"))
        return isinstance(name, str) and _fields(validators.get(name)).get("validateRequestBody") is True

    @property
    def schema(self) -> Json:
        """The schema of a body of JSON, with references followed; None without one."""
        content = _fields(_fields(self.fields.get("requestBody")).get("content"))
        for kind, media in content.items():
            if kind.startswith("application/json"):
                return self.definition.followed(_fields(media).get("schema"))
        listed = self.fields.get("parameters")
        for one in listed if isinstance(listed, list) else ():
            if _fields(one).get("in") == "body":
                return self.definition.followed(_fields(one).get("schema"))
        return None


@dataclass(frozen=True)
class Definition:
    """An API's document.

    Attributes:
        knows_keys: whether the API checks API keys, which those of HTTP do not.
    """

    document: Mapping[str, Json]
    knows_keys: bool

    @cached_property
    def operations(self) -> tuple[DocumentedOperation, ...]:
        """Every operation, in the order of the document."""
        return tuple(self._operations())

    def _operations(self) -> Iterator[DocumentedOperation]:
        for path, item in _fields(self.document.get("paths")).items():
            for name, one in _fields(item).items():
                if name == _ANY or name.lower() in _VERBS:
                    yield DocumentedOperation(
                        "ANY" if name == _ANY else name.upper(), path, _fields(one), self
                    )

    def guard_of(self, scheme: str) -> str:
        """What a security scheme makes API Gateway ask for; empty where it only describes."""
        components = _fields(_fields(self.document.get("components")).get("securitySchemes"))
        one = _fields(components.get(scheme) or _fields(self.document.get("securityDefinitions")).get(scheme))
        if one.get(_AUTHORIZER):
            return f"the authorizer {scheme} authorizes"
        kind = one.get("x-amazon-apigateway-authtype")
        if isinstance(kind, str) and kind.lower() == "awssigv4":
            return "AWS signatures authorize"
        name = one.get("name")
        is_header = one.get("type") == "apiKey" and one.get("in") == "header"
        is_key = is_header and isinstance(name, str) and name.lower() == _KEY_HEADER
        return "it requires the API key" if is_key and self.knows_keys else ""

    def followed(self, schema: Json) -> Json:
        """A schema, or the one that it refers to inside of the document."""
        for _ in range(10):
            reference = _fields(schema).get("$ref")
            if not isinstance(reference, str) or not reference.startswith("#/"):
                return schema
            at: Json = dict(self.document)
            for part in reference.removeprefix("#/").split("/"):
                at = _fields(at).get(part)
            schema = at
        return schema


def definition_of(api: Resource) -> Definition | Unreadable:
    """The document of an API. Unreadable where it has none, or where it is no JSON whose form is known."""
    text = api.template("body")
    if isinstance(text, Unreadable):
        return text
    if text == "":
        return Missing("body")
    pieces: list[str] = []
    position, found = 0, spans(text)
    for span in found:  # an expression is a value in the document, and may have quotes in it
        pieces += [text[position : span.start], json.dumps(text[span.start : span.end])[1:-1]]
        position = span.end
    try:
        document: Json = json.loads("".join((*pieces, text[position:])))
    except (ValueError, RecursionError):
        if found and found[0].start == 0:
            return Unresolved("body", text)
        return WrongType("body", "YAML or other text", "an OpenAPI document in JSON")
    if isinstance(document, str) and not is_literal(document):
        return Unresolved("body", document)
    if not isinstance(document, dict) or not isinstance(document.get("paths"), dict):
        return WrongType("body", "JSON of another kind", "an OpenAPI document")
    http = api.type == "aws_apigatewayv2_api" and api.text("protocol_type") != "WEBSOCKET"
    return Definition(document, knows_keys=not http)


def _fields(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}
