"""Requests, read back into the parameters that botocore's models describe.

The protocols are those of AWS's SDKs (Smithy, "AWS protocols"): awsJson, awsQuery, restJson, restXml and
rpcv2Cbor. What a request holds that its operation has no place for is kept, so that it can be judged.
"""

import functools
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote
from xml.etree.ElementTree import Element, ParseError, fromstring

from botocore.exceptions import BotoCoreError
from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape
from botocore.parsers import RpcV2CBORParser

from payinfra.core.json_text import parse_json

MODELS = {"monitoring": "cloudwatch", "tagging": "resourcegroupstaggingapi"}
"""The names of services in botocore's data where they differ from those that requests are signed for."""
UNKNOWN = "(unknown) "
"""Before the name of what a request holds and its operation does not know."""


class UnreadableRequest(Exception):
    """A request is no call of an operation that the models know."""


@dataclass(frozen=True)
class SentRequest:
    """A request as it came over the wire, to the service that it is signed for."""

    service: str
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class ReadRequest:
    """A request as a call: its operation, and its parameters as the model names them."""

    operation: OperationModel
    parameters: Mapping[str, Any]


@functools.cache
def model_of(service: str) -> ServiceModel:
    """A service's model, by the name that requests are signed for.

    Raises:
        UnreadableRequest: botocore knows no such service.
    """
    name = MODELS.get(service, service)
    try:
        model = Loader().load_service_model(name, "service-2")
    except BotoCoreError as error:
        raise UnreadableRequest(f"{service!r} is no service that botocore knows") from error
    return ServiceModel(model, name)


def read(request: SentRequest) -> ReadRequest:
    """Read a request as a call.

    Raises:
        UnreadableRequest: it is none.
    """
    model = model_of(request.service)
    try:
        return _read(model, request)
    except (ValueError, ParseError) as error:
        raise UnreadableRequest(
            f"{request.method} {request.path} of {request.service} is not in its protocol: {error}"
        ) from error


def _read(model: ServiceModel, request: SentRequest) -> ReadRequest:
    if "smithy-protocol" in request.headers or "/operation/" in request.path:
        return _cbor(model, request)
    if "x-amz-target" in request.headers:
        operation = _named(model, request.headers["x-amz-target"].rpartition(".")[2])
        body = parse_json(request.body or b"{}")
        return ReadRequest(operation, _renamed(operation.input_shape, body))
    if model.protocol in ("query", "ec2") or (request.service == "monitoring" and request.method == "POST"):
        fields = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
        operation = _named(model, fields.pop("Action", ""))
        fields.pop("Version", None)
        return ReadRequest(operation, _of_query(operation.input_shape, fields))
    return _rest(model, request)


def _named(model: ServiceModel, name: str) -> OperationModel:
    if name not in model.operation_names:
        raise UnreadableRequest(f"{model.service_name} has no operation {name!r}")
    return model.operation_model(name)


def _cbor(model: ServiceModel, request: SentRequest) -> ReadRequest:
    operation = _named(model, request.path.rpartition("/")[2])
    value = RpcV2CBORParser().parse_data_item(io.BytesIO(request.body)) if request.body else {}
    return ReadRequest(operation, _renamed(operation.input_shape, value))


# -- JSON ----------------------------------------------------------------------------------------------


def _renamed(shape: Shape | None, value: Any) -> Any:
    """A JSON value with the model's names of its members."""
    match shape:
        case StructureShape() if isinstance(value, dict):
            names = {member.serialization.get("name", name): name for name, member in shape.members.items()}
            return {
                names.get(key, UNKNOWN + key): _renamed(shape.members.get(names.get(key, "")), one)
                for key, one in value.items()
                if one is not None
            }
        case ListShape() if isinstance(value, list):
            return [_renamed(shape.member, one) for one in value]
        case MapShape() if isinstance(value, dict):
            return {key: _renamed(shape.value, one) for key, one in value.items()}
        case _:
            return value


# -- query ---------------------------------------------------------------------------------------------


def _of_query(shape: Shape | None, fields: Mapping[str, str]) -> dict[str, Any]:
    """The members that flattened names spell: `Tags.member.1.Key`."""
    found: dict[str, Any] = {}
    if not isinstance(shape, StructureShape):
        return {UNKNOWN + name: value for name, value in fields.items()}
    heads: dict[str, dict[str, str]] = {}
    for name, value in fields.items():
        head, _, rest = name.partition(".")
        heads.setdefault(head, {})[rest] = value
    names = {member.serialization.get("name", name): name for name, member in shape.members.items()}
    for head, below in heads.items():
        if member := names.get(head):
            found[member] = _query_value(shape.members[member], below)
        else:
            found[UNKNOWN + head] = below
    return found


def _query_value(shape: Shape, below: Mapping[str, str]) -> Any:
    match shape:
        case StructureShape():
            return _of_query(shape, below)
        case ListShape():
            flat = shape.serialization.get("flattened")
            inner = shape.member.serialization.get("name", "member")
            prefix = "" if flat else f"{inner}."
            return [_query_value(shape.member, one) for one in _numbered(below, prefix)]
        case MapShape():
            prefix = "" if shape.serialization.get("flattened") else "entry."
            key = shape.key.serialization.get("name", "key")
            value = shape.value.serialization.get("name", "value")
            return {
                one.get(key, ""): _query_value(
                    shape.value,
                    {name.removeprefix(value).lstrip("."): each for name, each in one.items() if name != key},
                )
                for one in _numbered(below, prefix)
            }
        case _:
            return typed(shape, below.get("", ""))


def _numbered(below: Mapping[str, str], prefix: str) -> list[dict[str, str]]:
    """The entries of a list, in the order of their numbers."""
    entries: dict[int, dict[str, str]] = {}
    for name, value in below.items():
        if not name:  # an empty list is sent as its bare name
            continue
        number, _, rest = name.removeprefix(prefix).partition(".")
        if not number.isdigit():
            raise UnreadableRequest(f"{name} is no entry of a list")
        entries.setdefault(int(number), {})[rest] = value
    return [entry for _, entry in sorted(entries.items())]


# -- REST ----------------------------------------------------------------------------------------------

_LABEL = re.compile(r"\{([^}+]+)(\+?)\}")


@functools.cache
def _routes(service: str) -> tuple[tuple[re.Pattern[str], str, tuple[tuple[str, str], ...], str], ...]:
    """Each operation's path as a pattern, its method, the query that its URI fixes, and its name; those that
    fix most come first."""
    found = []
    model = model_of(service)
    for name in model.operation_names:
        http = model.operation_model(name).http
        path, _, query = str(http["requestUri"]).partition("?")
        pattern, at = "", 0
        for label in _LABEL.finditer(path):
            pattern += re.escape(path[at : label.start()])
            inner = ".+" if label[2] else "[^/]+"
            pattern += f"(?P<{re.sub(r'[^A-Za-z0-9_]', '_', label[1])}>{inner})"
            at = label.end()
        pattern = (pattern + re.escape(path[at:])).rstrip("/")
        fixed = tuple(parse_qsl(query, keep_blank_values=True))
        literal = len(_LABEL.sub("", path))
        # Of two operations of one route the later name is the one that is not deprecated.
        rank = (model.operation_model(name).deprecated, -literal - 100 * len(fixed))
        found.append((rank, re.compile(pattern + "/?"), http["method"], fixed, name))
    found.sort(key=lambda one: one[0])
    return tuple((pattern, method, fixed, name) for _, pattern, method, fixed, name in found)


def _rest(model: ServiceModel, request: SentRequest) -> ReadRequest:
    query = parse_qsl(request.query, keep_blank_values=True)
    candidates = [
        (operation, found, fixed)
        for pattern, method, fixed, operation in _routes(request.service)
        if method == request.method
        and (found := pattern.fullmatch(request.path))
        and all((key, value) in query or (not value and key in dict(query)) for key, value in fixed)
    ]
    if not candidates:
        raise UnreadableRequest(f"{request.method} {request.path}?{request.query} is no operation")
    if request.service == "s3":
        candidates = [_best_of_s3(model, request, query, candidates)]
    name, found, fixed = candidates[0]
    operation = model.operation_model(name)
    return ReadRequest(operation, _members(operation, request, found, query, fixed))


def _best_of_s3(model: ServiceModel, request: SentRequest, query: Any, candidates: Any) -> Any:
    """S3 tells operations of one path apart by query and headers that are required members of the input."""

    def fits(one: Any) -> tuple[bool, int]:
        shape = model.operation_model(one[0]).input_shape
        needed = [shape.members[name] for name in shape.required_members] if shape else []
        places = [
            member.serialization.get("name", "").lower() in request.headers
            if member.serialization.get("location") == "header"
            else member.serialization.get("name") in dict(query)
            for member in needed
            if member.serialization.get("location") in ("header", "querystring")
        ]
        return all(places), len(one[2]) * 10 + len(places)

    usable = [one for one in candidates if fits(one)[0]]
    return max(usable or candidates, key=lambda one: fits(one)[1])


def _members(
    operation: OperationModel, request: SentRequest, found: "re.Match[str]", query: Any, fixed: Any
) -> dict[str, Any]:
    shape = operation.input_shape
    if shape is None:
        return {}
    parameters: dict[str, Any] = {}
    labels = {name: unquote(value) for name, value in found.groupdict().items()}
    body = dict(shape.members)
    left = [
        one for one in query if one not in fixed and one[0] not in ("x-id",) and one[0] not in dict(fixed)
    ]
    for name, member in shape.members.items():
        place, called = member.serialization.get("location"), member.serialization.get("name", name)
        if place is None:
            continue
        body.pop(name)
        match place:
            case "uri":
                key = re.sub(r"[^A-Za-z0-9_]", "_", called)
                if key in labels:
                    parameters[name] = typed(member, labels[key])
            case "querystring" if isinstance(member, MapShape):
                continue
            case "querystring":
                values = [value for key, value in left if key == called]
                left = [one for one in left if one[0] != called]
                if values:
                    parameters[name] = (
                        [typed(member.member, value) for value in values]
                        if isinstance(member, ListShape)
                        else typed(member, values[0])
                    )
            case "header" if called.lower() in request.headers:
                parameters[name] = typed(member, request.headers[called.lower()])
            case "headers":
                parameters[name] = {
                    key.removeprefix(called.lower()): value
                    for key, value in request.headers.items()
                    if key.startswith(called.lower())
                }
    parameters |= {UNKNOWN + key: value for key, value in left}
    payload = shape.serialization.get("payload")
    if payload and shape.members[payload].type_name in ("blob", "string"):
        parameters[payload] = request.body
    elif payload:
        if request.body:
            parameters[payload] = _of_body(operation, shape.members[payload], request.body)
    elif request.body.strip() and body:
        inner = _of_body(operation, shape, request.body)
        parameters |= {key: value for key, value in inner.items() if key not in parameters}
    return parameters


def _of_body(operation: OperationModel, shape: Shape, body: bytes) -> Any:
    if operation.service_model.protocol == "rest-xml":
        return _of_xml(shape, fromstring(body))  # noqa: S314 - its sender has signed it, and ministack reads it too
    return _renamed(shape, parse_json(body))


def _of_xml(shape: Shape, element: Element) -> Any:
    match shape:
        case StructureShape():
            members = {
                member.serialization.get("name", name): (name, member)
                for name, member in shape.members.items()
            }
            found: dict[str, Any] = {}
            for key, value in element.attrib.items():
                local = key.rpartition("}")[2]
                known = next((one for one in members if one.rpartition(":")[2] == local), None)
                if known:
                    found[members[known][0]] = value
            for child in element:
                tag = child.tag.rpartition("}")[2]
                name, member = members.get(tag, (UNKNOWN + tag, None))
                if member is None:
                    found[name] = child.text
                elif isinstance(member, ListShape) and member.serialization.get("flattened"):
                    found.setdefault(name, []).append(_of_xml(member.member, child))
                else:
                    found[name] = _of_xml(member, child)
            return found
        case ListShape():
            return [_of_xml(shape.member, child) for child in element]
        case _:
            return typed(shape, element.text or "")


def typed(shape: Shape, text: str) -> Any:
    """A text as the shape's type; the text itself where it is none."""
    try:
        match shape.type_name:
            case "integer" | "long":
                return int(text)
            case "float" | "double":
                return float(text)
            case "boolean":
                return {"true": True, "false": False}.get(text.lower(), text)
    except ValueError:
        return text
    return text
