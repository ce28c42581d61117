"""The way to the worker: micro-batches, breakers, overload, reasons and shadows aside."""
