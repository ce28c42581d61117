"""Requests on their way to the worker: micro-batches, circuit breakers, overload, explanations and shadows."""
