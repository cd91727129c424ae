"""The envelope of drf-standardized-errors, with the `extra` that the contract has besides."""

from typing import Any

from drf_standardized_errors.formatter import ExceptionFormatter
from drf_standardized_errors.types import ErrorResponse


class WithExtra(ExceptionFormatter):
    def format_error_response(self, error_response: ErrorResponse) -> Any:
        body = super().format_error_response(error_response)
        for error in body["errors"]:
            error["extra"] = None
        return body
