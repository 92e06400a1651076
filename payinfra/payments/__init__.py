"""Recorded payments, as their operators see them: are all audited, and do two stand under one key."""
