"""The failover drill: lose a region on purpose, measure it, lose no payment, put everything back."""
