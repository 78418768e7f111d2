"""Runs the tiers of the tests one after the other and closes with one summary."""
