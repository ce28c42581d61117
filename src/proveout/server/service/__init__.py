"""One request in, one answer out: the fallback chain, the cache, who is asked, what is logged."""
