"""The load of a drill: payments at a steady rate, and what became of each request."""
