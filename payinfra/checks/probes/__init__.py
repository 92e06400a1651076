"""Live probes: each asks the deployed environment one thing, and judges the answer within a deadline."""

MODULES = (
    "apigateway",
    "awslambda",
    "dynamodb",
    "health_checks",
    "route53_zone",
    "route53_names",
    "s3",
    "monitoring",
    "iam",
    "kms",
    "parameters",
    "sns",
    "tags",
)
"""The modules that hold probes, in the order of the documentation."""
