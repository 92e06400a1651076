"""The part of Route 53 that the emulator lacks: probing health checks, routing policies, DNS."""
