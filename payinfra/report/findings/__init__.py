"""Findings of checks and probes, drawn: for people, for scripts, and for what CI systems read."""
