"""Reports of a verdict: terminal, HTML page, GitHub job summary."""
