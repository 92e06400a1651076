"""Holds what was made of AWS against AWS's own models: requests, stacks and permissions."""
