"""Monitoring: drift, performance, alerts and their report."""
