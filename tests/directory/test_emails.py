"""The one form of an e-mail address: what is the same, and what is none."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyhouse.directory.users import MAX_EMAIL_CHARACTERS, canonical_email


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("ada@example.com", "ada@example.com"),
        ("Ada.Lovelace@Example.COM", "ada.lovelace@example.com"),
        ("  ada@example.com\t\n", "ada@example.com"),
        ("\u00a0ada@example.com\u2003", "ada@example.com"),
        ("ada@bücher.example", "ada@bücher.example"),
        ("ada@BÜCHER.example", "ada@bücher.example"),
        ("ada@xn--bcher-kva.example", "ada@bücher.example"),
        ("ada@bu\u0308cher.example", "ada@bücher.example"),
        ("\uff21\uff44\uff41\uff20example.\uff43\uff4f\uff4d", "ada@example.com"),
        ("ada@example。com", "ada@example.com"),
        ("jose\u0301@example.com", "josé@example.com"),
        ("ﬁn@example.com", "fin@example.com"),
        ("J\u030cack@example.com", "\u01f0ack@example.com"),
        ("ÅNGSTRÖM@example.com", "ångström@example.com"),
        ("ada+keys@example.com", "ada+keys@example.com"),
        ("o'hara@example.com", "o'hara@example.com"),
        ("ada@keyhouse.test", "ada@keyhouse.test"),
    ],
)
def test_what_is_one_address_has_one_form(text: str, canonical: str) -> None:
    assert canonical_email(text) == canonical
    assert canonical_email(canonical) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "ada",
        "@example.com",
        "ada@",
        "ada@@example.com",
        "ada@example",
        "ada@-example.com",
        "ada@exa mple.com",
        "a da@example.com",
        "ada@example..com",
        ".ada@example.com",
        "ada@[192.0.2.1]",
        "Ada <ada@example.com>",
        "ada@example.com, eve@example.com",
        "ada@example.com\x00",
        "ada\r\nBcc: eve@example.com",
        "\ud800@example.com",
        "ada@\ud800.com",
        "ada@" + "a" * 64 + ".com",
        "a" * 60 + "@" + "b" * 60 + "." + "c" * 60 + "." + "d" * 60 + "." + "e" * 60 + ".com",
    ],
)
def test_what_is_no_address_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(not an address|too long)$") as caught:
        canonical_email(text)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


_UNICODE = st.text(st.characters(categories=["L", "M", "N"]), min_size=1, max_size=8)


@settings(deadline=None)
@given(st.one_of(st.emails(), st.text(max_size=300), st.builds("{}@{}.example".format, _UNICODE, _UNICODE)))
def test_the_form_is_a_fixed_point_and_fits_its_column(text: str) -> None:
    try:
        canonical = canonical_email(text)
    except ValueError:
        return
    assert canonical_email(canonical) == canonical
    assert len(canonical) <= MAX_EMAIL_CHARACTERS
    assert unicodedata.is_normalized("NFC", canonical)
    assert canonical_email(f" {text}\n") == canonical


@settings(deadline=None)
@given(st.emails())
def test_case_makes_no_other_address(text: str) -> None:
    assert canonical_email(text.lower()) == canonical_email(text) == canonical_email(text.swapcase())
