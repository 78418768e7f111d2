"""LocalRegistry: an in-cluster image registry that every node provably pulls from.

`spec` and `resources` are pure, `controller` runs once per cluster, `agent` runs on every node,
and `trust` is the one thing both sides share.
"""
