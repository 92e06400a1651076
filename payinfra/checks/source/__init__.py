"""Checks over the Python files of an infrastructure project: parsed, never imported."""

MODULES = ("imports", "testing", "repetition")
