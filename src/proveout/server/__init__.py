"""The server: HTTP, the prediction service, the queue to the worker, the worker and the prediction journal."""
