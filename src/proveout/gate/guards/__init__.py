"""Guards against honest mistakes: checks that never ran, prove nothing, or change what they are given."""
