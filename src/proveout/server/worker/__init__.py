"""The process that holds the opened bundles."""
