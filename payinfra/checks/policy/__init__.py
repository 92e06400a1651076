"""The policy checks, one module a concern. Importing this package loads none of them."""

MODULES = (
    "engine",
    "regions",
    "dynamodb",
    "iam",
    "s3",
    "kms",
    "logs",
    "api",
    "routing",
    "awslambda",
    "monitoring",
    "queues",
    "parameters",
    "secretsmanager",
    "open_policies",
    "backups",
    "networks",
    "tls",
    "naming",
    "terraform",
)
"""The modules with checks, in the order of the catalogue and of the documentation."""
