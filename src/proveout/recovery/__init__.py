"""Recovery: from the run of a notebook back to raw rows. Records calls, replays them, and accepts what is equal."""
