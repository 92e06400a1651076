"""What an account has once for all its environments, and the role that deploys them."""
