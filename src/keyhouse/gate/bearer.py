"""From the header of a request to the text of its token (RFC 6750 section 2.1), and from nowhere else."""

from collections.abc import Sequence

from keyhouse.errors import Failure, failure, invalid_token

MAX_TOKEN_BYTES = 8192


def header(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The one `Authorization` in the raw headers of an ASGI scope; raises `not_authenticated` when there is none, or
    `invalid_token` for several, one of which presents a token.
    """
    found = None
    for name, value in headers:
        if name == b"authorization":
            if found is not None:
                raise _several(headers)
            found = value
    if found is None:
        raise failure("not_authenticated")
    return found


def token(value: bytes) -> bytes:
    """The text of the Bearer token in this `Authorization`.

    Raises `not_authenticated` when none is presented, `invalid_token` when what is presented can't be one.
    """
    if not _is_bearer(value):
        raise failure("not_authenticated")
    text = value[6:].strip(b" \t")
    if len(text) > MAX_TOKEN_BYTES:
        raise invalid_token("too long")
    return text


def _several(headers: Sequence[tuple[bytes, bytes]]) -> Failure:
    if any(_is_bearer(value) for name, value in headers if name == b"authorization"):
        return invalid_token("several Authorization headers")
    return failure("not_authenticated")


def _is_bearer(value: bytes) -> bool:
    return value[:6].lower() == b"bearer" and value[6:7] in {b"", b" ", b"\t"}
