"""Pilot: what turns a notebook project into a proveout project."""
