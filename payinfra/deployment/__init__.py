"""The stages of a deployment, from synthesis to a smoke test, and what recovers a broken one."""
