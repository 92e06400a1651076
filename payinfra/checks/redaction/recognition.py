"""How a secret is recognised: by the name that it goes by, and by its look.

Sources of the looks: the providers' own pages on their keys' formats, as GitHub's secret scanning lists them
("Supported secret scanning patterns").
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SECRET_WORDS = frozenset(
    {
        *("apikey", "credential", "credentials", "passcode", "passphrase", "passwd", "password", "passwords"),
        *("privatekey", "pwd", "secret", "secretkey", "token"),
    }
)
_SECRET_PAIRS = frozenset(
    {
        *(("access", "key"), ("account", "key"), ("api", "key"), ("auth", "key"), ("connection", "string")),
        *(("encryption", "key"), ("hmac", "key"), ("host", "key"), ("key", "material"), ("license", "key")),
        *(("preshared", "key"), ("private", "key"), ("shared", "key"), ("signing", "key"), ("ssh", "key")),
        *(("webhook", "key"), ("webhook", "signature")),
    }
)
_ABOUT = frozenset(
    {
        *("action", "age", "algorithm", "alias", "arn", "authorizer", "bucket", "count", "created", "days"),
        *("description", "enabled", "endpoint", "expiration", "expires", "expiry", "file", "format", "from"),
        *("header", "id", "identifier", "ids", "kind", "length", "lifetime", "location", "manager", "method"),
        *("mode", "name", "names", "options", "path", "policy", "prefix", "required", "rotation", "selector"),
        *(
            "settings",
            "size",
            "source",
            "status",
            "strategy",
            "table",
            "ttl",
            "type",
            "types",
            "units",
            "uri",
        ),
        *("url", "usage", "validity", "version"),
    }
)
"""Last words of names that say something about a secret and are none: `secret_arn`, `token_ttl`."""

_LOOKS = re.compile(
    "|".join(
        (
            r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----(?:[\s\S]*?-----END [A-Z0-9 ]*PRIVATE KEY-----|[\s\S]*)",
            r"\b(?:sk|rk)_(?:live|test)_[0-9A-Za-z]{8,}",  # Stripe
            r"\bwhsec_[0-9A-Za-z+/=]{8,}",  # Stripe, Svix
            r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",  # AWS
            r"\b(?:gh[pousr]_[0-9A-Za-z]{20,}|github_pat_\w{20,})",
            r"\bglpat-[\w-]{16,}",
            r"\bxox[abeoprs]-[\w-]{10,}",  # Slack
            r"\bnpm_[0-9A-Za-z]{30,}",
            r"\bpypi-[\w-]{30,}",
            r"\bSG\.[\w-]{16,}\.[\w-]{16,}",  # SendGrid
            r"\bAIza[\w-]{30,}",  # Google
            r"\bya29\.[\w-]{20,}",
            r"\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{16,}",  # Shopify
            r"\bsq0(?:csp|atp)-[\w-]{16,}",  # Square
            r"\bEAAA[\w-]{50,}",
            r"\bdckr_pat_[\w-]{16,}",
            r"\bhv[sb]\.[\w-]{16,}",  # Vault
            r"\bdop_v1_[0-9a-f]{32,}",
            r"\bAGE-SECRET-KEY-1[0-9A-Z]{20,}",
            r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*",  # a JSON web token
            r"(?i:\b(?:bearer|basic)\s+)[\w+/.~=-]{12,}",
        )
    )
)
_IN_URL = re.compile(
    r"(?P<before>\b[a-z][a-z0-9+.-]*://[^\s/:@\"']*:)(?P<secret>[^\s/@\"'$]+)(?=@)", re.IGNORECASE
)
_ASSIGNED = re.compile(
    r"(?:passw(?:or)?d|passphrase|pwd|secret(?!smanager:)|token"
    r"|(?:api|access|account|private|signing|shared)[_-]?key)"
    r"[\w.-]*[\"']?\s*[=:]\s*[\"']?(?P<secret>[^\s\"',;&<>{}$]{4,})",
    re.IGNORECASE,
)
# One of these is in everything that has the look of a secret: most texts have none, and that is soon known.
_MARKS = (
    *("-----BEGIN", "_live_", "_test_", "whsec_", "AKIA", "ASIA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
    *("github_pat_", "glpat-", "xox", "npm_", "pypi-", "SG.", "AIza", "ya29.", "shp", "sq0", "EAAA"),
    *("dckr_pat_", "hvs.", "hvb.", "dop_v1_", "AGE-SECRET", "eyJ"),
)
_SCHEMES = ("bearer ", "basic ")
_KEYWORDS = ("passw", "passphrase", "pwd", "secret", "token", "key")


def _may_look(text: str) -> bool:
    lower = text.lower()
    return any(mark in text for mark in _MARKS) or any(scheme in lower for scheme in _SCHEMES)


def _may_be_url(text: str) -> bool:
    return "://" in text and "@" in text


def _may_assign(text: str) -> bool:
    # The names in a JSON text are looked at one by one, where it is walked.
    if ("=" not in text and ":" not in text) or text[:1] in ("{", "["):
        return False
    lower = text.lower()
    return any(word in lower for word in _KEYWORDS)


@lru_cache(maxsize=4096)
def names_secret(name: str) -> bool:
    """Whether what goes by a name is a secret: `ACQUIRER_TOKEN`, `dbPassword`, `STRIPE_SIGNING_KEY`."""
    words = [word.lower() for word in _WORDS.findall(name)]
    while words and words[-1].isdigit():
        words.pop()
    if not words or words[-1] in _ABOUT:
        return False
    return not _SECRET_WORDS.isdisjoint(words) or any(pair in _SECRET_PAIRS for pair in pairwise(words))


def looks_secret(text: str) -> bool:
    """Whether a text has a secret in it that is known by its look: a key, or a password inside of a URL."""
    return (_may_look(text) and _LOOKS.search(text) is not None) or (
        _may_be_url(text) and _IN_URL.search(text) is not None
    )


def secrets_within(text: str) -> Iterator[str]:
    """The parts of a configured text that are secrets by their look, or because a name is assigned them."""
    if _may_look(text):
        yield from (found[0] for found in _LOOKS.finditer(text))
    if _may_be_url(text):
        yield from (found["secret"] for found in _IN_URL.finditer(text))
    if _may_assign(text):
        yield from (found["secret"] for found in _ASSIGNED.finditer(text))


def without_looks(text: str, hidden: str) -> str:
    """A text of our own with everything hidden that has the look of a secret."""
    if _may_look(text):
        text = _LOOKS.sub(hidden, text)
    return _IN_URL.sub(lambda found: f"{found['before']}{hidden}", text) if _may_be_url(text) else text
