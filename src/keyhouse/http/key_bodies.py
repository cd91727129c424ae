"""Bodies that create, rename and rotate API keys, within the bounds of one deployment."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, create_model, model_validator

from keyhouse.errors import VALIDATION
from keyhouse.http.fields import LEFT_OUT, Body, Moment, Name, Unchangeable
from keyhouse.http.validation import refusal
from keyhouse.issuance.api_keys import DEFAULT_OVERLAP
from keyhouse.issuance.expiry import MIN_TTL, Expiry
from keyhouse.scopes import Vocabulary
from keyhouse.settings import Settings

_MAX_OVERLAP = 604_800
_MAX_SCOPES = 100


class _Missing:
    """Stands where a field would have to stand, so that its absence is told beside whatever else is wrong."""

    def __init__(self, code: str, detail: str) -> None:
        self.refusal = (code, detail)


def _told() -> Any:
    def tell(value: Any) -> Any:
        if isinstance(value, _Missing):
            raise refusal(value.refusal)
        return value

    return BeforeValidator(tell)


class RenameBody(Body):
    """The one thing that can be changed of a key. What can't be is told alone: nobody who sends it forgot the name."""

    model_config = ConfigDict(json_schema_extra={"required": ["name"]})

    name: Annotated[Name, _told()] = LEFT_OUT
    expires_at: Unchangeable = None
    scopes: Unchangeable = None
    id: Unchangeable = None
    company_id: Unchangeable = None
    created_by: Unchangeable = None
    hint: Unchangeable = None
    status: Unchangeable = None
    created_at: Unchangeable = None
    last_used_at: Unchangeable = None
    revoked_at: Unchangeable = None
    retires_at: Unchangeable = None
    replaces: Unchangeable = None
    replaced_by: Unchangeable = None

    @model_validator(mode="before")
    @classmethod
    def _name_is_required(cls, data: Any) -> Any:
        if isinstance(data, dict) and not data.keys() & cls.model_fields.keys():
            return {**data, "name": _Missing("required", VALIDATION["required"])}
        return data


class ExpiryBody(Body):
    """Exactly one of `expires_at` and `expires_in`."""

    # Not `oneOf`, which makes generated clients take the whole body for a choice of nothing in particular.
    model_config = ConfigDict(
        json_schema_extra={
            "if": {"required": ["expires_at"]},
            "then": {"not": {"required": ["expires_in"]}},
            "else": {"required": ["expires_in"]},
        }
    )

    @model_validator(mode="before")
    @classmethod
    def _exactly_one(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        given = {"expires_at", "expires_in"} & data.keys()
        if not given:
            return {**data, "expires_at": _Missing("required", VALIDATION["required"])}
        if len(given) > 1:
            return {
                **data,
                "expires_in": _Missing("invalid", "Give either expires_at or expires_in, not both."),
            }
        return data

    def expiry(self) -> Expiry:
        values = self.model_dump(include={"expires_at", "expires_in"})
        return Expiry(at=values["expires_at"], within=values["expires_in"])


def _expiry_fields(max_ttl: int) -> dict[str, Any]:
    return {
        "expires_at": (Annotated[Moment, _told()], LEFT_OUT),
        "expires_in": (Annotated[int, Field(strict=True, ge=MIN_TTL, le=max_ttl), _told()], LEFT_OUT),
    }


def creation_body(vocabulary: Vocabulary, settings: Settings) -> type[Any]:
    """The body that creates a key, with the scopes of this application and the bounds of this deployment."""
    # The vocabulary is the application's: no type checker can know it.
    scopes: Any = list[Literal.__getitem__(tuple(vocabulary.described()))]  # type: ignore[misc]
    return create_model(
        "ApiKeyCreation",
        __base__=ExpiryBody,
        name=(Name, ...),
        **_expiry_fields(settings.api_key_max_ttl),
        scopes=(Annotated[scopes, Field(min_length=1, max_length=_MAX_SCOPES)], LEFT_OUT),
    )


def rotation_body(settings: Settings) -> type[Any]:
    """The body that rotates a key; `overlap` is in seconds from the successor's first use."""
    return create_model(
        "ApiKeyRotation",
        __base__=ExpiryBody,
        **_expiry_fields(settings.api_key_max_ttl),
        overlap=(Annotated[int, Field(strict=True, ge=0, le=_MAX_OVERLAP)], DEFAULT_OVERLAP),
    )
