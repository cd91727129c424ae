"""The checks, a module for each chapter of a section of the contract. A check's docstring is its line in the report."""
