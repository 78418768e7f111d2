"""Runs once per cluster: turns LocalRegistries into children, and keeps the nodes' trust right.

`watches` (kopf) puts keys into `workqueue`; workers in `app` run `reconcile` (one LocalRegistry)
and `nodetrust` (what all of them together mean for the nodes); `kube` is the API.
"""
