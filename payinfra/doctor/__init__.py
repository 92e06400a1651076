"""Checks what payinfra needs on this machine and in the account."""
