"""The real cluster: what the demo and the tests of this tier do with it."""
