"""What Certificate Manager refuses (ACM API reference, RequestCertificate)."""

from payinfra.local.server.validation.calls import Rules, ServiceCall, for_each, joined, refuse_if
from payinfra.local.server.validation.tags import tags_are_possible


def arn_is_a_certificates(call: ServiceCall) -> None:
    """AWS: a certificate is known by its ARN (API reference, InvalidArnException)."""
    refuse_if(
        ":certificate/" not in call.text("CertificateArn"),
        "InvalidArnException",
        f"{call.text('CertificateArn')} is no certificate's ARN.",
    )


RULES: Rules = joined(
    for_each(
        ("RequestCertificate", "AddTagsToCertificate"),
        tags_are_possible("Tags", "InvalidTagException", too_many="TooManyTagsException"),
    ),
    {"DescribeCertificate": (arn_is_a_certificates,)},
)
