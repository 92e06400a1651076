"""Another API key takes the place of the one in use, and both are valid until the former is removed."""
