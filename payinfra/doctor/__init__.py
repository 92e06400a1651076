"""What this machine and this account lack."""
