"""Evacuate a region through the other one alone, live there, and return when the data is whole."""
