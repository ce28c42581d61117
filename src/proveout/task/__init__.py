"""The tasks: binary, multi-class, regression. Each defines answers, scores, outcomes, losses and metrics."""
