"""The worker process, which holds the opened bundles."""
