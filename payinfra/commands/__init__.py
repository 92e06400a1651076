"""The commands: each module parses, calls what does the work, and renders. `payinfra.cli` joins them."""
