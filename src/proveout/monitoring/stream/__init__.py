"""Drift of a stream: each day beside the model's own history."""
