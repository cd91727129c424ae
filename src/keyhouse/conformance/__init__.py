"""The contract as a suite of checks against any server, in whatever language, over HTTP alone.

Nothing in here imports a room of Keyhouse's own server: what is checked can't be what checks.
"""
