"""The commands. Each module parses, delegates and renders; `payinfra.cli` joins them."""
