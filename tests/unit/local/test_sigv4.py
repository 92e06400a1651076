"""Which signatures are true: those of botocore's signers and of AWS's own examples, and no other."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from payinfra.local.server import sigv4
from payinfra.local.server.asgi import HttpRequest
from payinfra.local.server.sigv4 import SignatureRefused

KEY, SECRET, TOKEN = "AKIAEXAMPLE", "secret", "token/of+a=session"
HOST = "127.0.0.1:4566"
Changed = Callable[[HttpRequest], HttpRequest]


def request_of(sent: AWSRequest) -> HttpRequest:
    """What arrives of a request that was signed."""
    url = urlsplit(sent.prepare().url)
    headers = (("host", HOST), *((name.lower(), value) for name, value in sent.headers.items()))
    body = sent.body.encode() if isinstance(sent.body, str) else bytes(sent.body or b"")
    return HttpRequest(str(sent.method), url.path, url.query, headers, body)


def signed(
    service: str = "lambda",
    method: str = "POST",
    path: str = "/2015-03-31/functions",
    body: bytes = b"{}",
    *,
    query: bool = False,
    token: str | None = None,
    secret: str = SECRET,
    **headers: str,
) -> HttpRequest:
    lines = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = AWSRequest(method, f"http://{HOST}{path}", lines, body)
    kinds = (S3SigV4QueryAuth, S3SigV4Auth) if service == "s3" else (SigV4QueryAuth, SigV4Auth)
    kinds[0 if query else 1](Credentials(KEY, secret, token), service, "us-east-1").add_auth(sent)
    return request_of(sent)


def check(request: HttpRequest, after_s: float = 0.0) -> sigv4.SignatureClaim:
    """Checks the request, so many seconds after it was signed."""
    claim = sigv4.claim_of(request)
    sigv4.check(request, claim, SECRET, claim.at + timedelta(seconds=after_s))
    return claim


def refused(request: HttpRequest, after_s: float = 0.0) -> str:
    with pytest.raises(SignatureRefused) as told:
        check(request, after_s)
    assert told.value.message
    return told.value.code


def header(name: str, value: str) -> Changed:
    """The request with another value of a header, or with one more header."""

    def change(request: HttpRequest) -> HttpRequest:
        kept = tuple((key, old) for key, old in request.headers if key != name)
        return replace(request, headers=(*kept, (name, value)))

    return change


PATHS = [
    "/",
    "/2015-03-31/functions/pay%3Alive/invocations",
    "/a%20b/c%2Fd/%C3%BC~-_.",
    "/tags?tagKeys=b&tagKeys=a&tagKeys=a",
    "/bucket?policy",
    "/bucket?list-type=2&prefix=a%2Fb%20c%2B%3D&empty=",
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("service", ["lambda", "s3"])
@pytest.mark.parametrize("query", [False, True])
@pytest.mark.parametrize("token", [None, TOKEN])
def test_what_botocore_signs_is_true(path: str, service: str, query: bool, token: str | None) -> None:
    request = signed(service, "GET", path, b"", query=query, token=token)
    claim = check(request)
    assert (claim.access_key_id, claim.region, claim.service) == (KEY, "us-east-1", service)
    assert (claim.token, claim.presigned) == (token or "", query)
    assert refused(replace(request, raw_path="/other")) == "SignatureDoesNotMatch"
    assert refused(replace(request, query_string=f"{request.query_string}&a=1")) == "SignatureDoesNotMatch"
    assert refused(replace(request, method="DELETE")) == "SignatureDoesNotMatch"


def test_another_secret_signs_for_nobody() -> None:
    assert refused(signed(secret="guess")) == "SignatureDoesNotMatch"
    assert refused(signed(secret="guess", query=True)) == "SignatureDoesNotMatch"
    assert refused(signed(secret="")) == "SignatureDoesNotMatch"


def test_a_header_is_signed_as_it_was_sent() -> None:
    request = signed("s3", "PUT", "/b/k", b"x", x_amz_meta_name="a   b", x_amz_meta_other="c")
    check(request)
    check(header("x-amz-meta-name", "  a b ")(request))
    assert refused(header("x-amz-meta-name", "a c")(request)) == "SignatureDoesNotMatch"
    assert refused(header("host", "127.0.0.1:9")(request)) == "SignatureDoesNotMatch"


def test_a_header_s_bytes_are_text_in_utf_8_where_they_can_be() -> None:
    request = signed("s3", "PUT", "/b/k", b"x", x_amz_meta_name="grün")
    check(header("x-amz-meta-name", "grün".encode().decode("latin-1"))(request))
    assert refused(header("x-amz-meta-name", "grun")(request)) == "SignatureDoesNotMatch"
    check(header("x-amz-meta-name", "grün")(request))


@pytest.mark.parametrize("name", ["x-amz-target", "x-amz-security-token", "x-amz-acl"])
def test_a_header_of_amazons_that_was_not_signed_is_refused(name: str) -> None:
    assert refused(header(name, "more")(signed())) == "SignatureDoesNotMatch"


def test_a_header_that_was_signed_and_is_gone_is_refused() -> None:
    request = signed(x_amz_target="a")
    gone = tuple(line for line in request.headers if line[0] != "x-amz-target")
    assert refused(replace(request, headers=gone)) == "SignatureDoesNotMatch"


def test_a_host_that_was_not_signed_is_refused() -> None:
    def without(line: str) -> str:
        return line.replace("SignedHeaders=host;", "SignedHeaders=")

    request = signed()
    lines = tuple((name, without(value)) for name, value in request.headers)
    assert refused(replace(request, headers=lines)) == "SignatureDoesNotMatch"


def test_another_body_is_refused() -> None:
    request = signed(body=b"{}")
    check(request)
    assert refused(replace(request, body=b'{"a": 1}')) == "SignatureDoesNotMatch"
    assert refused(replace(request, body=b"")) == "SignatureDoesNotMatch"
    assert refused(replace(signed(body=b"", query=True), body=b"{}")) == "SignatureDoesNotMatch"


def test_s3_says_that_the_body_is_another_one() -> None:
    request = signed("s3", "PUT", "/b/k", b"one")
    assert refused(replace(request, body=b"two")) == "XAmzContentSHA256Mismatch"


def unsigned_body(service: str, body: bytes) -> HttpRequest:
    """As S3's clients send a body over TLS, which is not signed."""
    sent = AWSRequest("PUT", f"http://{HOST}/b/k", {}, body)
    sent.context["payload_signing_enabled"] = False

    class Unsigned(S3SigV4Auth):
        def _should_sha256_sign_payload(self, request: AWSRequest) -> bool:
            del request
            return False

    Unsigned(Credentials(KEY, SECRET), service, "us-east-1").add_auth(sent)
    assert sent.headers["X-Amz-Content-SHA256"] == "UNSIGNED-PAYLOAD"
    return request_of(sent)


def test_only_s3_takes_a_body_that_is_not_signed() -> None:
    check(unsigned_body("s3", b"x"))
    check(replace(unsigned_body("s3", b"x"), body=b"y"))
    assert refused(unsigned_body("lambda", b"x")) == "SignatureDoesNotMatch"


def test_a_presigned_request_to_s3_leaves_the_body_open() -> None:
    check(replace(signed("s3", "PUT", "/b/k", b"", query=True), body=b"anything"))


@pytest.mark.parametrize(
    ("service", "after_s", "code"),
    [
        ("s3", 899, ""),
        ("s3", 901, "RequestTimeTooSkewed"),
        ("s3", -899, ""),
        ("dynamodb", -901, "RequestTimeTooSkewed"),
        ("lambda", 299, ""),
        ("lambda", 301, "RequestTimeTooSkewed"),
        ("lambda", -301, "RequestTimeTooSkewed"),
    ],
)
def test_a_signature_is_good_for_minutes(service: str, after_s: float, code: str) -> None:
    request = signed(service, "GET", "/", b"")
    if code:
        assert refused(request, after_s) == code
    else:
        check(request, after_s)


@pytest.mark.parametrize(
    ("after_s", "code"), [(3599, ""), (3601, "RequestExpired"), (-301, "RequestTimeTooSkewed")]
)
def test_a_presigned_request_is_good_for_as_long_as_it_says(after_s: float, code: str) -> None:
    request = signed("lambda", "GET", "/", b"", query=True)
    assert "X-Amz-Expires=3600" in request.query_string
    if code:
        assert refused(request, after_s) == code
    else:
        check(request, after_s)


AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20260131/us-east-1/s3/aws4_request, "
    f"SignedHeaders=host;x-amz-date, Signature={'0' * 64}"
)
QUERY = (
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAEXAMPLE%2F20260131%2Fus-east-1%2Fs3%2Faws4_request"
    f"&X-Amz-Date=20260131T000000Z&X-Amz-SignedHeaders=host&X-Amz-Expires=60&X-Amz-Signature={'0' * 64}"
)


def bare(authorization: str = "", query: str = "", date: str = "20260131T000000Z") -> HttpRequest:
    headers = (("host", HOST), ("x-amz-date", date))
    return HttpRequest(
        "GET", "/", query, (*headers, *((("authorization", authorization),) if authorization else ()))
    )


def test_what_carries_no_credentials_is_said_so() -> None:
    assert refused(bare()) == "MissingAuthenticationToken"
    assert not sigv4.is_signed(bare())
    assert not sigv4.is_signed(bare(query="a=b"))
    for request in (bare(AUTHORIZATION), bare(query=QUERY), bare(query="x-amz-signature=1"), signed()):
        assert sigv4.is_signed(request)


@pytest.mark.parametrize(
    "request_",
    [
        bare("Bearer abc"),
        bare(AUTHORIZATION.replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256")),
        bare(AUTHORIZATION.replace("SignedHeaders", "Signed")),
        bare(AUTHORIZATION + ", Credential=AKIAOTHER/20260131/us-east-1/s3/aws4_request"),
        bare(AUTHORIZATION.replace("/aws4_request", "")),
        bare(AUTHORIZATION.replace("aws4_request", "aws5_request")),
        bare(AUTHORIZATION.replace("AKIAEXAMPLE", "")),
        bare(AUTHORIZATION, date=""),
        bare(AUTHORIZATION, date="Sat, 31 Jan 2026 00:00:00 GMT"),
        bare(AUTHORIZATION, date="20260199T000000Z"),
        bare(AUTHORIZATION, query=QUERY),
        bare(AUTHORIZATION, query="AWSAccessKeyId=AKIAOTHER"),
        replace(
            bare(AUTHORIZATION), headers=(*bare(AUTHORIZATION).headers, ("authorization", AUTHORIZATION))
        ),
        bare(query=QUERY + "&X-Amz-Credential=AKIAOTHER%2F20260131%2Fus-east-1%2Fs3%2Faws4_request"),
        bare(query=QUERY.replace("X-Amz-Signature", "x-amz-signature")),
        bare(query=QUERY.replace("X-Amz-Date", "X-Date")),
        bare(query=QUERY.replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256")),
        bare(query=QUERY.replace("Expires=60", "Expires=604801")),
        bare(query=QUERY.replace("Expires=60", "Expires=0")),
        bare(query=QUERY.replace("Expires=60", "Expires=-1")),
        bare(query=QUERY.replace("Expires=60", "Expires=soon")),
    ],
)
def test_a_signature_that_is_incomplete_or_there_twice_or_of_another_kind_is_refused(
    request_: HttpRequest,
) -> None:
    assert refused(request_) == "IncompleteSignature"


def test_version_2_is_said_to_be_out_of_date() -> None:
    for request in (
        bare("AWS AKIAEXAMPLE:c2lnbmF0dXJl"),
        bare(query="AWSAccessKeyId=AKIAEXAMPLE&Signature=c2ln&Expires=1"),
    ):
        assert refused(request) == "InvalidRequest"


def test_the_date_of_the_scope_is_the_request_s() -> None:
    assert refused(bare(AUTHORIZATION, date="20260201T000000Z")) == "CredentialDateMismatch"


@pytest.mark.parametrize("path", ["*", "http://other/", "/a#b"])
def test_a_path_that_a_client_does_not_sign_is_refused(path: str) -> None:
    assert refused(replace(signed(path="/a"), raw_path=path)) == "SignatureDoesNotMatch"


# -- AWS's own examples: Amazon S3 API reference, "Authenticating Requests (AWS Signature Version 4)" --------

EXAMPLE_SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SCOPE = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"
THEN = datetime(2013, 5, 24, tzinfo=UTC)
CHUNKS = (
    b"10000;chunk-signature=%s\r\n" + b"a" * 65536 + b"\r\n400;chunk-signature=%s\r\n" + b"a" * 1024 + b"\r\n"
    b"0;chunk-signature=%s\r\n"
)


def example(request: HttpRequest) -> None:
    sigv4.check(request, sigv4.claim_of(request), EXAMPLE_SECRET, THEN)


def test_the_example_of_getting_an_object() -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    lines = {
        "host": "examplebucket.s3.amazonaws.com",
        "range": "bytes=0-9",
        "x-amz-content-sha256": empty,
        "x-amz-date": "20130524T000000Z",
        "authorization": f"{SCOPE},SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    }
    request = HttpRequest("GET", "/test.txt", "", tuple(lines.items()))
    example(request)
    with pytest.raises(SignatureRefused):
        example(header("range", "bytes=0-10")(request))


def chunked(body: bytes, payload: str, signature: str, **more: str) -> HttpRequest:
    lines = {
        "host": "s3.amazonaws.com",
        "x-amz-date": "20130524T000000Z",
        "x-amz-storage-class": "REDUCED_REDUNDANCY",
        "x-amz-content-sha256": payload,
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": "66560",
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    names = ";".join(sorted(lines))
    authorization = f"{SCOPE},SignedHeaders={names},Signature={signature}"
    headers = (*lines.items(), ("authorization", authorization))
    return HttpRequest("PUT", "/examplebucket/chunkObject.txt", "", headers, body)


IN_CHUNKS = CHUNKS % (
    b"ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
    b"0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
    b"b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
)
WITH_TRAILER = (
    CHUNKS
    % (
        b"b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        b"1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        b"2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    )
    + b"x-amz-checksum-crc32c:sOO8/Q==\r\n"
    + b"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
)


def in_chunks(body: bytes = IN_CHUNKS) -> HttpRequest:
    signature = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
    return chunked(body + b"\r\n", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", signature, content_length="66824")


def with_trailer(body: bytes = WITH_TRAILER) -> HttpRequest:
    signature = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
    payload = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
    return chunked(body, payload, signature, x_amz_trailer="x-amz-checksum-crc32c")


def test_the_example_of_an_upload_in_chunks() -> None:
    example(in_chunks())
    example(with_trailer())


@pytest.mark.parametrize(
    "request_",
    [
        in_chunks(IN_CHUNKS.replace(b"aaa\r\n400", b"aab\r\n400")),
        in_chunks(IN_CHUNKS.replace(b"aaa\r\n0;", b"aab\r\n0;")),
        in_chunks(IN_CHUNKS.replace(b"chunk-signature=0055", b"chunk-signature=0056")),
        in_chunks(IN_CHUNKS[:-90]),
        in_chunks(b"plain"),
        with_trailer(WITH_TRAILER.replace(b"sOO8", b"sOO9")),
        with_trailer(WITH_TRAILER.replace(b"d81f", b"d81e")),
        with_trailer(WITH_TRAILER[: WITH_TRAILER.index(b"x-amz-trailer-signature")]),
    ],
)
def test_a_chunk_or_trailer_that_was_changed_or_left_out_is_refused(request_: HttpRequest) -> None:
    with pytest.raises(SignatureRefused, match="not that of this request"):
        example(request_)
