"""What people run: status, wait, doctor, diff and completion.

Reads through the API server with the user's own rights. Nothing here is part of an image's work, so
it imports neither the controller nor the agent.
"""
