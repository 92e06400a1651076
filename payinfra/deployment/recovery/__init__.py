"""Takes back what a deployment made and no state knows, because it was cut off before that was written."""
