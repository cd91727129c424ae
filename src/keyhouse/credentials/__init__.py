"""Stored credentials: API keys and sessions, what the guard must know of each, and how a worker learns of a death."""
