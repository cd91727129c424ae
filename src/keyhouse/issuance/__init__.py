"""Hands out credentials: log-in, sessions, API keys."""
