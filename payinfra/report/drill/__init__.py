"""A drill, drawn: while it runs, and what it came to, for people, for scripts, and for CI systems."""
