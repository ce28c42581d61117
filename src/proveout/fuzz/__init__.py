"""Fuzzing: requests generated from the schema, and properties that every answer to them must have."""
