"""Keyhouse: the auth layer of company-scoped SaaS APIs.

The names are looked up when they are used: pytest imports this package in every project that has it installed, for the
plugin alone.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__all__ = ["Principal", "Settings", "create_app", "guard", "install"]

if TYPE_CHECKING:
    from keyhouse.app import create_app, install
    from keyhouse.gate import Principal, guard
    from keyhouse.settings import Settings
else:
    _ROOMS = {
        "Principal": "keyhouse.gate",
        "Settings": "keyhouse.settings",
        "create_app": "keyhouse.app",
        "guard": "keyhouse.gate",
        "install": "keyhouse.app",
    }

    def __getattr__(name: str) -> object:
        if name not in _ROOMS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_ROOMS[name]), name)
