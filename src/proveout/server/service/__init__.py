"""One request in, one answer out: the ladder, the cache, who is asked, what is logged."""
