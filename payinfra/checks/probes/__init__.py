"""Live probes: each asks the deployed environment one thing, and judges the answer within a deadline."""

MODULES = (
    "gateway",
    "service",
    "ledger",
    "health_checks",
    "zone",
    "names",
    "audit",
    "monitoring",
    "access",
    "keys",
    "parameters",
    "topics",
)
"""The modules that hold probes, in the order of the documentation."""
