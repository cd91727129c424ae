"""HTTP: the conventions of every path under `/api/`, the routes, and the one form of every error."""
