"""The ground: settings, names, outputs, events, errors. Imports no other room."""
