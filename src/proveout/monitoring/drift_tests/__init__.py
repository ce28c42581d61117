"""The two-sample tests of the monitor: pure functions of arrays and tables."""
