"""From a stranger's notebook to a project: record a run, slice back from a prediction to raw rows, verify, write."""
