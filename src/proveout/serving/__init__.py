"""Serving: the gateway, the ladder, the journal and the worker, hosted by LitServe."""
