"""The doctor: what is well with a project and its machine, what is not, and what to do."""
