"""The policy checks, one module a concern. Importing this package loads none of them."""

MODULES = (
    "engine",
    "regions",
    "ledger",
    "iam",
    "audit",
    "keys",
    "logs",
    "api",
    "routing",
    "service",
    "monitoring",
    "parameters",
    "naming",
)
"""The modules with checks, in the order of the catalogue and of the documentation."""
