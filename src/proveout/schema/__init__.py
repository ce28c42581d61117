"""The schema: reads a pandera model, and makes validators, JSON Schema and examples from it."""
