"""Score: the 28 tests of the ML Test Score, and what each point rests on."""
