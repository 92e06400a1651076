"""How a secret is recognised: by its attribute, by the name that it goes by, and by its look.

Checks and the redaction of messages ask the same questions. Checks accuse somebody, so that they take only a
look that is sure; the redaction hides what may be one too.

Sources of the looks: the issuers' own pages on their keys' formats, as GitHub's secret scanning lists them
("Supported secret scanning patterns"), RFC 7519 and RFC 7468. Of the attributes: the provider's schema.
"""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise

from payinfra.checks.manifest.templates import spans

_TABLE = "sensitive_attributes.json"

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_SECRET_WORDS = frozenset(
    {
        *("apikey", "credential", "credentials", "passcode", "passphrase", "passwd", "password", "passwords"),
        *("privatekey", "pwd", "secret", "secretkey", "secrets", "token"),
    }
)
_SECRET_ENDS = ("passphrase", "passwd", "password", "secret", "token")
"""How words end that are written in one: `PGPASSWORD`, `clientsecret`."""
_SECRET_LAST = frozenset({"creds", "dbpass", "dsn", "pass", "pepper", "pgpass", "pw", "salt"})
_SECRET_PAIRS = frozenset(
    {
        *(("access", "key"), ("account", "key"), ("api", "key"), ("auth", "key"), ("connection", "string")),
        *(("encryption", "key"), ("hmac", "key"), ("host", "key"), ("key", "material"), ("license", "key")),
        *(("master", "key"), ("preshared", "key"), ("private", "key"), ("secret", "key"), ("service", "key")),
        *(("shared", "key"), ("signature", "key"), ("signing", "key"), ("ssh", "key"), ("webhook", "key")),
        ("webhook", "signature"),
    }
)
_SECRETS = frozenset({"passwords", "secrets"})
_VALUES = frozenset({"active", "current", "latest", "live", "next", "previous", "value"})
"""What stands below a secret's name where it has several values."""
_ABOUT = frozenset(
    {
        *("action", "age", "algorithm", "alias", "arn", "arns", "attempts", "audience", "authorizer"),
        *(
            "bucket",
            "count",
            "created",
            "days",
            "description",
            "disabled",
            "enabled",
            "endpoint",
            "expiration",
        ),
        *("expires", "expiry", "field", "file", "folder", "format", "from", "header", "host", "hours", "id"),
        *("identifier", "ids", "issuer", "kind", "length", "lifetime", "limit", "location", "manager", "max"),
        *("method", "min", "minutes", "mode", "name", "names", "options", "param", "parameter", "path"),
        *("policy", "prefix", "provider", "ref", "reference", "region", "required", "rotation", "rounds"),
        *(
            "scope",
            "seconds",
            "selector",
            "service",
            "settings",
            "size",
            "source",
            "stage",
            "status",
            "store",
        ),
        *("strategy", "table", "timeout", "ttl", "type", "types", "units", "uri", "url", "usage", "user"),
        *("username", "validity", "version", "window"),
    }
)
"""Last words of names that say something about a secret and are none: `secret_arn`, `token_ttl`."""
_PUBLIC = frozenset({"public", "publishable"})


@lru_cache(maxsize=8192)
def names_secret(name: str) -> bool:
    """Whether what goes by a name is a secret: `STRIPE_SIGNING_KEY`, `dbPassword`, `/pay/webhook-secret-v2`.

    What only tells where a secret is, or how long it lives, is none: `API_KEY_PARAMETER`, `TOKEN_TTL`.
    """
    folder, _, last = name.rpartition("/")
    words = _words(last)
    if words and (words[-1] in _ABOUT or not _PUBLIC.isdisjoint(words)):
        return False
    if _are_secret(words):
        return True
    above = _words(folder.rpartition("/")[2])
    # `/pay/db/password/current` is one of the password's values, as `/pay/passwords/db` is one of them.
    return _are_secret(above) and (above[-1] in _SECRETS or last.lower() in _VALUES)


def _words(name: str) -> list[str]:
    """The words of a name in lower case, without the number of a version at the end."""
    words = [word.lower() for word in _WORD.findall(name)]
    while words and (words[-1].isdigit() or words[-1] in ("v", "wo")):
        words.pop()
    return words


def _are_secret(words: list[str]) -> bool:
    if not words or words[-1] in _ABOUT or not _PUBLIC.isdisjoint(words):
        return False
    return (
        words[-1] in _SECRET_LAST
        or not _SECRET_WORDS.isdisjoint(words)
        or any(word.endswith(_SECRET_ENDS) for word in words)
        or not _SECRET_PAIRS.isdisjoint(pairwise(words))
    )


@lru_cache(maxsize=1)
def sensitive_attributes() -> Mapping[str, tuple[str, ...]]:
    """By type (`data.` in front for a data source), the attributes that the AWS provider calls sensitive.

    Written by `python -m scripts.sensitive_attributes` from the provider's schema.
    """
    table: dict[str, list[str]] = json.loads(files(__package__).joinpath(_TABLE).read_text(encoding="utf-8"))
    return {kind: tuple(paths) for kind, paths in table.items()}


@lru_cache(maxsize=1024)
def secret_attributes(kind: str) -> tuple[str, ...]:
    """Those of a type's sensitive attributes that hold a secret by their name, not only what is private."""
    return tuple(
        path
        for path in sensitive_attributes().get(kind, ())
        if kind == "aws_ssm_parameter" or names_secret(f"{kind}_{'_'.join(path.split('.')[-2:])}")
    )


_KEY, _TOKEN = "an API key", "a token"
_PAYMENT, _WEBHOOK = "a payment provider's key", "a webhook address"
_B = r"(?<![A-Za-z0-9])"
_LOOKS = tuple(
    (what, re.compile(pattern))
    for what, pattern in (
        ("an AWS access key", r"(?<![A-Z0-9])(?:AKIA|ASIA)[0-9A-Z]{16}(?![A-Z0-9])"),
        (
            "a private key",
            r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
            r"(?:[\s\S]*?-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|[\s\S]*)",
        ),
        (_PAYMENT, _B + r"(?:sk|rk)_(?:live|test|sbox)_\w{8,}"),  # Stripe, Checkout.com
        ("a webhook's signing secret", _B + r"whsec_[\w+/=-]{8,}"),  # Stripe, Svix
        (_PAYMENT, _B + r"sq0(?:csp|atp|idp)-[\w-]{16,}"),  # Square
        (_PAYMENT, _B + r"EAAA[\w-]{50,}"),  # Square
        (_PAYMENT, r"access_token\$(?:production|sandbox)\$\w+"),  # Braintree
        (_PAYMENT, _B + r"AQE[a-z]h[\w+/=]{20,}"),  # Adyen
        (_PAYMENT, _B + r"(?:live|test)_[A-Za-z0-9]{30,}(?!\w)"),  # Mollie
        (_PAYMENT, _B + r"FLWSECK(?:_TEST)?-[\w-]{12,}"),  # Flutterwave
        (_PAYMENT, _B + r"access-(?:sandbox|development|production)-[0-9a-f]{8}-[0-9a-f-]{27}"),  # Plaid
        ("a GitHub token", _B + r"(?:gh[opsur]_\w{20,}|github_pat_\w{20,})"),
        ("a GitLab token", _B + r"gl(?:pat|rt|dt)-[\w-]{16,}"),
        ("a Slack token", _B + r"xox[abeoprs]-[\w-]{10,}"),
        (_WEBHOOK, r"https://hooks\.slack\.com/services/\w+/\w+/\w+"),
        (_WEBHOOK, r"https://(?:\w+\.)?discord(?:app)?\.com/api/webhooks/\d+/[\w-]+"),
        ("a Google key", _B + r"AIza[\w-]{30,}"),
        ("a Google key", _B + r"ya29\.[\w-]{20,}"),
        ("a SendGrid key", _B + r"SG\.[\w-]{16,}\.[\w-]{16,}"),
        (_TOKEN, _B + r"npm_[A-Za-z0-9]{30,}"),
        (_TOKEN, _B + r"pypi-[\w-]{30,}"),
        (_TOKEN, _B + r"dckr_pat_[\w-]{16,}"),
        (_TOKEN, _B + r"dop_v1_[0-9a-f]{32,}"),
        ("a Shopify token", _B + r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{16,}"),
        ("a Twilio key", _B + r"SK[0-9a-f]{32}(?![0-9a-f])"),
        ("a Vault token", _B + r"hv[sb]\.[\w-]{16,}"),
        (_KEY, _B + r"sk-(?:ant-|proj-)?[\w-]{20,}"),
        (_KEY, _B + r"(?:key-[0-9a-f]{32}(?!\w)|NRAK-[A-Z0-9]{24,}|PMAK-[0-9a-f]{24}-[0-9a-f]{34})"),
        (_TOKEN, _B + r"(?:hf_[A-Za-z]{30,}|ATATT3[\w=-]{20,}|dapi[0-9a-f]{32}|lin_api_\w{20,})"),
        ("a password inside a URL", r"jdbc:oracle:\w+:\w+/[^\s/@${}<>]+@"),
        (_KEY, _B + r"AGE-SECRET-KEY-1[0-9A-Z]{20,}"),
        ("a signed token", _B + r"eyJ[\w-]{8,}\.[\w-]{10,}\.[\w-]*"),
    )
)
_AUTHORIZATION = re.compile(r"(?i:\b(?:bearer|basic)\s+)[\w+/.~=-]{12,}")
"""What may be a header with credentials, or a sentence about one."""

_HINT = re.compile(
    r"AKIA|ASIA|-----BEGIN|[sr]k_|whsec_|sq0|EAAA|access_token\$|AQE|gh[opsur]_|github_pat|gl(?:pat|rt|dt)-|xox|"
    r"hooks\.slack|api/webhooks|AIza|ya29|SG\.|npm_|pypi-|dckr_|live_|test_|FLWSECK|access-|key-[0-9a-f]|NRAK|"
    r"PMAK|hf_|ATATT3|dapi|lin_api|jdbc:o|dop_v1|shp|SK[0-9a-f]|hv[sb]\.|sk-|AGE-S|eyJ"
)
"""A part of every look: most texts have none, and need no closer one."""
_IN_URL = re.compile(
    r"(?P<before>(?<![\w+.-])[a-z][a-z0-9+.-]*://[^\s/:@\"']*:)(?P<secret>(?:\$\{[^{}]*\}|[^\s/@\"'])+)(?=@)",
    re.IGNORECASE,
)
_CONNECTION = re.compile(
    r"(?i)(?:^|[;&?,\s])(?:password|pwd|passwd|accountkey|sharedaccesskey|secret|client_secret|api_?key|"
    r"access_token|auth_?token|sig)\s*=\s*(?P<secret>(?:\$\{[^{}]*\}|[^;&\s'\"])+)"
)
_PATH = re.compile(r"(?:/[a-z][a-z0-9_.-]*){2,}")
"""The name of a parameter, as in `api_key=/pay/api-key`."""

_ASSIGNED = re.compile(
    r"(?:passw(?:or)?d|passphrase|pwd|secret(?!smanager:)|token"
    r"|(?:api|access|account|private|signing|shared)[_-]?key)"
    r"[\w.-]*[\"']?\s*[=:]\s*[\"']?(?P<secret>[^\s\"',;&<>{}$]{4,})",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(
    r"\$[A-Z_]+|%s|\{[\w.]*\}|<[^>]*>|\{\{.*\}\}|\*+|x{3,}|\.{3}|\$\{[a-z_]+\}", re.IGNORECASE
)
_POINTER = re.compile(
    r"/|arn:|https?://|(?:ssm|secretsmanager|vault|sops|op|awssm|awsps|kms)[:/]|\{\{resolve:", re.IGNORECASE
)
_BARE_URL = re.compile(
    r"[a-z][a-z0-9+.-]*://(?:[^\s:/?#@]+@)?[\w.\[\]-]+(?::\d+)?(?:,[\w.-]+(?::\d+)?)*(?:/[\w./-]*)?"
)
"""An address without a password, and without parameters that may be one: `postgres://pay@db:5432/pay`."""
_NO_VALUE = frozenset({"", "-", "0", "1", "false", "no", "none", "null", "off", "on", "true", "yes"})
_SCHEMES = ("bearer ", "basic ")
_KEYWORDS = ("passw", "passphrase", "pwd", "secret", "token", "key")


def look_of(text: str) -> str:
    """What kind of secret a text has the look of, or has in it, beyond doubt; empty where there is none."""
    if _HINT.search(text) is not None:
        for what, look in _LOOKS:
            if look.search(text):
                return what
    if "://" in text and any(_is_value(found["secret"]) for found in _IN_URL.finditer(text)):
        return "a password inside a URL"
    if "=" in text and any(
        _is_value(found["secret"])
        and not _PATH.fullmatch(found["secret"])
        and not _is_argument(text, found.start("secret"))
        for found in _CONNECTION.finditer(text)
    ):
        return "a password in a connection string"
    return "a header with credentials" if _is_authorization(text) else ""


def _is_argument(text: str, position: int) -> bool:
    """Whether a place is inside an expression, and in none of its texts.

    `${jsonencode({user = "pay", password = random_password.x.result})}` connects to nothing.
    """
    for span in spans(text):
        if span.start < position < span.end:
            before = re.sub(r"\\.", "", text[span.start : position])
            return before.count('"') % 2 == 0
    return False


def _is_authorization(text: str) -> bool:
    """Whether a whole text is the value of an Authorization header (RFC 6750; RFC 7617)."""
    scheme, _, value = text.partition(" ")
    if scheme.lower() == "bearer":
        return re.fullmatch(r"(?=.*\d)[\w+/.~=-]{20,}", value) is not None
    if scheme.lower() == "basic":
        try:
            return b":" in base64.b64decode(value, validate=True)
        except ValueError:
            return False
    return False


def secret_in_json(text: str) -> str:
    """The first name in a JSON text under which a secret is written out; empty where there is none."""
    if text[:1] not in ("{", "["):
        return ""
    try:
        todo: list[object] = [json.loads(text)]
    except (ValueError, RecursionError):
        return ""
    while todo:
        match todo.pop():
            case dict(fields):
                for name, value in fields.items():
                    if isinstance(value, str) and is_written_secret(str(name), value):
                        return str(name)
                todo += fields.values()
            case list(items):
                todo += items
            case _:
                pass
    return ""


def is_written_secret(name: str, value: str) -> bool:
    """Whether a literal goes by a secret's name, and is neither a placeholder nor where the secret is."""
    return names_secret(name) and "${" not in value and not is_pointer(value) and _is_value(value)


def secrets_within(text: str) -> Iterator[str]:
    """The parts of a configured text that may be secrets: by look, or because a name is assigned them."""
    if _HINT.search(text) is not None:
        for _, look in _LOOKS:
            yield from (found[0] for found in look.finditer(text))
    if _may_authorize(text):
        yield from (found[0] for found in _AUTHORIZATION.finditer(text))
    if "://" in text:
        yield from (found["secret"] for found in _IN_URL.finditer(text) if "$" not in found["secret"])
    # The names in a JSON text are looked at one by one, where it is walked.
    if ("=" in text or ":" in text) and text[:1] not in ("{", "["):
        lower = text.lower()
        if any(word in lower for word in _KEYWORDS):
            yield from (found["secret"] for found in _ASSIGNED.finditer(text))


def without_looks(text: str, hidden: str) -> str:
    """A text of our own with everything hidden that may be a secret by its look."""
    if _HINT.search(text) is not None:
        for _, look in _LOOKS:
            text = look.sub(hidden, text)
    if _may_authorize(text):
        text = _AUTHORIZATION.sub(hidden, text)
    if "://" in text and "@" in text:
        text = _IN_URL.sub(
            lambda found: found[0] if "$" in found["secret"] else f"{found['before']}{hidden}", text
        )
    return text


def is_pointer(value: str) -> bool:
    """Whether a value only tells where a secret is, or is none at all: a path, an ARN, a switch."""
    if value.lower() in _NO_VALUE or _POINTER.match(value) or _BARE_URL.fullmatch(value):
        return True
    return "/" in value and names_secret(value)


def _may_authorize(text: str) -> bool:
    lower = text.lower()
    return any(scheme in lower for scheme in _SCHEMES)


def _is_value(text: str) -> bool:
    """Whether what stands in a secret's place is one, not a placeholder or a name."""
    return _PLACEHOLDER.fullmatch(text) is None or "." in text
