"""The payments function. In its zip this package is at the top; the handler is `payments.handler.handle`."""

__version__ = "0.1.0"
