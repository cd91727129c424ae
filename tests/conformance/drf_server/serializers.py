"""What is taken, and what is shown."""

from datetime import timedelta
from typing import Any

import store
from authentication import MANAGEMENT, RESOURCE
from rest_framework import serializers


class LogIn(serializers.Serializer):
    email = serializers.EmailField()
    password = serializers.CharField(trim_whitespace=False)


class Dataset(serializers.Serializer):
    id = serializers.CharField(read_only=True)
    name = serializers.CharField(max_length=100)
    description = serializers.CharField(allow_blank=True, default="", max_length=10000)
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)


class Person(serializers.Serializer):
    id = serializers.CharField()
    email = serializers.CharField()


class Key(serializers.Serializer):
    id = serializers.CharField(read_only=True)
    name = serializers.CharField(max_length=100)
    company_id = serializers.CharField(read_only=True)
    created_by = Person(read_only=True)
    scopes = serializers.ListField(
        child=serializers.ChoiceField([*RESOURCE, *MANAGEMENT]), allow_empty=False, required=False
    )
    hint = serializers.CharField(read_only=True)
    status = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField(read_only=True)
    expires_at = serializers.DateTimeField(required=False)
    expires_in = serializers.IntegerField(required=False, write_only=True, min_value=60, max_value=366 * 86400)
    last_used_at = serializers.DateTimeField(read_only=True)
    revoked_at = serializers.DateTimeField(read_only=True)
    retires_at = serializers.DateTimeField(read_only=True)
    replaces = serializers.CharField(read_only=True)
    replaced_by = serializers.CharField(read_only=True)

    def get_status(self, key: store.Row) -> str:
        return store.status(key)

    def validate_expires_at(self, value: Any) -> Any:
        ahead = value - store.now()
        if not timedelta(seconds=60) <= ahead <= timedelta(days=366):
            raise serializers.ValidationError("Expiration date must be between 60 seconds and 366 days ahead.")
        return value.replace(microsecond=0)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        given = {"expires_at", "expires_in"} & attrs.keys()
        if not given:
            raise serializers.ValidationError({"expires_at": "This field is required."}, code="required")
        if len(given) == 2:
            raise serializers.ValidationError({"expires_in": "Give one of the two."}, code="invalid")
        return attrs


class Rename(serializers.Serializer):
    name = serializers.CharField(max_length=100)


class Listing(serializers.Serializer):
    limit = serializers.IntegerField(min_value=1, max_value=200, default=50)
    cursor = serializers.UUIDField(required=False)
    status = serializers.ListField(
        child=serializers.ChoiceField(["active", "expired", "revoked"]), default=["active", "expired"]
    )
