"""The page: sign in, API keys, audit events. It knows the public API alone."""

from keyhouse.ui.page import router

__all__ = ["router"]
