"""What start-up refuses: routes that look guarded and would not be."""

import re
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from keyhouse.gate.dependency import Guard
from keyhouse.scopes import Vocabulary

_COMPANY_PARAMETER = re.compile(r"/companies/\{([^}:]+)(?::[^}]*)?\}")


class UnguardableRouteError(RuntimeError):
    """A route that the guard could not protect as its author believes."""


def check_routes(app: FastAPI, vocabulary: Vocabulary) -> None:
    """Raises `UnguardableRouteError` for a guarded route whose company is not called `company_id`, and for
    one that asks for a scope which nobody declared, so that no credential could ever have it.
    """
    for route in iter_route_contexts(app.routes):
        dependant = getattr(route, "dependant", None)
        if route.path is None or dependant is None:
            continue
        for scopes in _guards(dependant, ()):
            names = _COMPANY_PARAMETER.findall(route.path)
            if names and names != ["company_id"]:
                raise UnguardableRouteError(
                    f"{route.path}: the guard checks the company of the parameter `company_id`: "
                    f"rename {{{names[0]}}} to {{company_id}}"
                )
            for scope in scopes:
                if scope not in vocabulary:
                    raise UnguardableRouteError(
                        f"{route.path}: scope {scope!r} is not declared: add it to the scopes of create_app or install"
                    )


def _guards(dependant: Dependant, inherited: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    scopes: Any = (*inherited, *(dependant.own_oauth_scopes or ()))
    if isinstance(dependant.call, Guard):
        yield scopes
    for child in dependant.dependencies:
        yield from _guards(child, scopes)
