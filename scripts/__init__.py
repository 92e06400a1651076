"""Programs for those who work on payinfra; no part of the package."""
