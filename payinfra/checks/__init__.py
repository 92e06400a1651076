"""The gate before Terraform: policy checks over synthesized Terraform JSON, and checks over source files."""
