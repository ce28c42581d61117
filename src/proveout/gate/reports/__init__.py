"""Where a verdict is shown: terminal, HTML page, GitHub job summary."""
