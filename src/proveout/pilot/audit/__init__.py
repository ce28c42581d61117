"""The audit of notebooks: hidden dependencies, found without running anything."""
