"""Tells secrets by their names and by their looks; says which look it was, and never the value.

Sources for the looks: the issuers' own documentation of their keys' prefixes (Stripe, GitHub, Slack, AWS,
Google, SendGrid, Square, GitLab, npm, Shopify, Twilio, OpenAI, HashiCorp Vault), RFC 7519 and RFC 7468.
"""

import re
from functools import lru_cache
from itertools import pairwise

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_SECRET_WORDS = frozenset(
    {
        "apikey",
        "credential",
        "credentials",
        "passphrase",
        "passwd",
        "password",
        "passwords",
        "privatekey",
        "pwd",
        "secret",
        "secretkey",
        "secrets",
        "token",
    }
)
_SECRET_LAST = frozenset({"dsn", "pass", "pepper", "pw", "salt"})
_SECRET_PAIRS = frozenset(
    {
        ("access", "key"),
        ("account", "key"),
        ("api", "key"),
        ("auth", "key"),
        ("connection", "string"),
        ("encryption", "key"),
        ("hmac", "key"),
        ("master", "key"),
        ("private", "key"),
        ("secret", "key"),
        ("service", "key"),
        ("shared", "key"),
        ("signature", "key"),
        ("signing", "key"),
        ("webhook", "key"),
    }
)
_NO_SECRET_LAST = frozenset(
    {
        "age",
        "algorithm",
        "alias",
        "arn",
        "arns",
        "attempts",
        "audience",
        "bucket",
        "count",
        "days",
        "disabled",
        "enabled",
        "endpoint",
        "expiration",
        "expiry",
        "field",
        "file",
        "folder",
        "format",
        "header",
        "host",
        "hours",
        "id",
        "ids",
        "issuer",
        "key_id",
        "kind",
        "length",
        "lifetime",
        "limit",
        "location",
        "max",
        "min",
        "minutes",
        "mode",
        "name",
        "names",
        "param",
        "parameter",
        "path",
        "policy",
        "prefix",
        "provider",
        "ref",
        "reference",
        "region",
        "required",
        "rotation",
        "rounds",
        "scope",
        "seconds",
        "service",
        "size",
        "source",
        "stage",
        "store",
        "table",
        "timeout",
        "ttl",
        "type",
        "uri",
        "url",
        "user",
        "username",
        "validity",
        "version",
        "window",
    }
)
_LOOKS = (
    ("an AWS access key", re.compile(r"(?<![A-Z0-9])(?:AKIA|ASIA)[0-9A-Z]{16}(?![A-Z0-9])")),
    ("a private key", re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----")),
    ("a payment provider's key", re.compile(r"(?<![A-Za-z0-9])(?:sk|rk)_(?:live|test)_\w{8,}")),
    ("a webhook's signing secret", re.compile(r"(?<![A-Za-z0-9])whsec_[\w+/=-]{8,}")),
    ("a payment provider's key", re.compile(r"(?<![A-Za-z0-9])sq0(?:csp|atp|idp)-[\w-]{20,}")),
    ("a payment provider's key", re.compile(r"access_token\$(?:production|sandbox)\$\w+")),
    ("a payment provider's key", re.compile(r"(?<![A-Za-z0-9])AQE[a-z]h[\w+/=]{20,}")),
    ("a GitHub token", re.compile(r"(?<![A-Za-z0-9])(?:gh[opsur]_\w{30,}|github_pat_\w{20,})")),
    ("a GitLab token", re.compile(r"(?<![A-Za-z0-9])gl(?:pat|rt|dt)-[\w-]{16,}")),
    ("a Slack token", re.compile(r"(?<![A-Za-z0-9])xox[abeprs]-[\w-]{10,}")),
    ("a webhook address", re.compile(r"https://hooks\.slack\.com/services/\w+/\w+/\w+")),
    (
        "a webhook address",
        re.compile(r"https://(?:\w+\.)?discord(?:app)?\.com/api/webhooks/\d+/[\w-]+"),
    ),
    ("a Google key", re.compile(r"(?<![A-Za-z0-9])AIza[\w-]{35}(?![\w-])")),
    ("a SendGrid key", re.compile(r"(?<![A-Za-z0-9])SG\.[\w-]{16,}\.[\w-]{16,}")),
    ("an npm token", re.compile(r"(?<![A-Za-z0-9])npm_[A-Za-z0-9]{36}")),
    ("a Shopify token", re.compile(r"(?<![A-Za-z0-9])shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}")),
    ("a Twilio key", re.compile(r"(?<![A-Za-z0-9])SK[0-9a-f]{32}(?![0-9a-f])")),
    ("a Vault token", re.compile(r"(?<![A-Za-z0-9])hv[sb]\.[\w-]{20,}")),
    ("an API key", re.compile(r"(?<![A-Za-z0-9])sk-(?:ant-|proj-)?[\w-]{20,}")),
    ("a signed token", re.compile(r"(?<![A-Za-z0-9])eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]+")),
)
_URL = re.compile(r"[A-Za-z][\w+.-]*://[^\s/@:]*:(?P<password>(?:\$\{[^{}]*\}|[^\s/@])+)@")
_PAIR = re.compile(
    r"(?i)(?:^|[;&?,\s])(?:password|pwd|passwd|accountkey|sharedaccesskey|secret|client_secret|api_?key|"
    r"access_token|auth_?token|sig)\s*=\s*(?P<password>(?:\$\{[^{}]*\}|[^;&\s'\"])+)"
)
_PLACEHOLDER = re.compile(
    r"\$[A-Z_]+|%s|\{[\w.]*\}|<[^>]*>|\{\{.*\}\}|\*+|x{3,}|\.{3}|\$\{[a-z_]+\}", re.IGNORECASE
)
_POINTER = re.compile(
    r"/|arn:|https?://|(?:ssm|secretsmanager|vault|sops|op|awssm|awsps|kms)[:/]|\{\{resolve:", re.IGNORECASE
)
_NO_VALUE = frozenset({"", "-", "0", "1", "false", "no", "none", "null", "off", "on", "true", "yes"})


_HINT = re.compile(
    r"://[^/\s]*@|=|AKIA|ASIA|-----BEGIN|[sr]k_|whsec_|sq0|access_token|AQE|gh[opsur]_|github_pat|gl(?:pat|rt|dt)-|"
    r"xox|hooks\.slack|api/webhooks|AIza|SG\.|npm_|shp|SK[0-9a-f]|hv[sb]\.|sk-|eyJ"
)
"""A part of every look: most texts have none, and need no closer one."""


@lru_cache(maxsize=4096)
def named_as_secret(name: str) -> bool:
    """Whether a name is a secret's: `STRIPE_SIGNING_KEY`, `dbPassword`, `/pay/webhook-secret-v2`.

    What only tells where a secret is, or how long it lives, is none: `API_KEY_PARAMETER`, `TOKEN_TTL`.
    """
    words = [word.lower() for word in _WORD.findall(name.rpartition("/")[2])]
    while words and (words[-1].isdigit() or words[-1] in ("v", "wo")):
        words.pop()
    if not words or words[-1] in _NO_SECRET_LAST:
        return False
    if "public" in words or "publishable" in words:
        return False
    return (
        words[-1] in _SECRET_LAST
        or not _SECRET_WORDS.isdisjoint(words)
        or not _SECRET_PAIRS.isdisjoint(pairwise(words))
    )


def look_of(value: str) -> str:
    """What kind of secret a value looks like; empty where it looks like none."""
    if _HINT.search(value) is None:
        return ""
    for what, look in _LOOKS:
        if look.search(value):
            return what
    for what, look in (("a password inside a URL", _URL), ("a password in a connection string", _PAIR)):
        for found in look.finditer(value):
            password = found["password"]
            if not _PLACEHOLDER.fullmatch(password) or "." in password:
                return what
    return ""


def is_pointer(value: str) -> bool:
    """Whether a value only tells where a secret is, or is none at all: a path, an ARN, a switch."""
    if value.lower() in _NO_VALUE or _POINTER.match(value):
        return True
    return "/" in value and named_as_secret(value)
