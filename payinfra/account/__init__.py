"""What an account has once for all environments: logging role, state bucket, and the role that deploys."""
