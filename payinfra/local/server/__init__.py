"""The server half of the embedded AWS: it runs in a process of its own, and nothing outside imports it."""
