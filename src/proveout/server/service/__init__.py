"""The prediction service: fallback chain, cache, routing, logging."""
