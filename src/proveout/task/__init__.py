"""What an answer is, by task: binary, multi-class or regression. `task.task.of` chooses."""
