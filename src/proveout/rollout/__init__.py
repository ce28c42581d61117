"""Rollout: releases, roles, canaries, and the state of what serves."""
