"""The environments of an account, found by their tags."""
