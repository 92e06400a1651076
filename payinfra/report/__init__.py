"""Events and results, drawn: for a terminal, and for whatever reads stdout."""
