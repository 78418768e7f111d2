"""Measurements on real clusters, each against its bar: `python -m bench.agent_idle`."""
