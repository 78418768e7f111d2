"""A real Kubernetes cluster on one machine, for the demo and the end-to-end tests.

Standard library only: it runs before any virtual environment exists, as
``PYTHONPATH=tests python3 -m kind COMMAND``.
"""
