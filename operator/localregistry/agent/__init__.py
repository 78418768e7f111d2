"""The node agent: makes one node pull from the cluster's registries, and proves it by a pull.

It has no right in the cluster's API. It reads what to trust from mounted files, edits the runtime's
own configuration as a guest, and answers with what it could not do.
"""
