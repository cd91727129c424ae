"""Datasets, the sample resource: a page long, and added as an application would add its own."""

from keyhouse.datasets.router import SCOPES, router

__all__ = ["SCOPES", "router"]
