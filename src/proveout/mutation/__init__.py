"""Mutants: broken variants of a candidate, each broken the way careless people break models."""
