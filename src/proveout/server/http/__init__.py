"""HTTP: keys, limits, what a request may be, and every route."""
