"""What payinfra corrects in ministack's answers, one module a service."""
