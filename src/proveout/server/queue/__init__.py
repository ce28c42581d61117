"""The queues in front of the worker: micro-batches, circuit breakers, overload, explanations and shadows."""
