"""Statistics below the helpers: tests, resampling, groups of rows."""
