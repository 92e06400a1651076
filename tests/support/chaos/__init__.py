"""Bad luck at random, seeded: kills, truncated files, commands that race; and what became of each."""
