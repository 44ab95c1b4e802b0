"""A contact on one line: who it is, how they are reached, and what is no contact."""

from __future__ import annotations

import pytest

from bot.domain.contact import ContactPerson, contact_person


@pytest.mark.parametrize(
    ("line", "person"),
    [
        pytest.param(
            "Ana Berg <support@partner.example> +49 30 1234",
            ContactPerson("Ana", "Berg", "support@partner.example", "+49 30 1234"),
            id="all of it",
        ),
        pytest.param(
            "Ana Berg <a@partner.example>",
            ContactPerson("Ana", "Berg", "a@partner.example"),
            id="no phone",
        ),
        pytest.param(
            "  Ana Maria Berg<a@partner.example>,(030) 1234-5 ",
            ContactPerson("Ana Maria", "Berg", "a@partner.example", "(030) 1234-5"),
            id="a prefix in brackets",
        ),
        pytest.param(
            '"Ana Maria Berg" <a@partner.example>; 030/1234',
            ContactPerson("Ana Maria", "Berg", "a@partner.example", "030/1234"),
            id="quoted, two first names",
        ),
        pytest.param(
            "王芳 <wang@partner.example>",
            ContactPerson("王芳", "王芳", "wang@partner.example"),
            id="one name",
        ),
        pytest.param("", None, id="nothing"),
        pytest.param("support@partner.example", None, id="an address alone"),
        pytest.param("<support@partner.example>", None, id="nobody's name"),
        pytest.param("Ana Berg", None, id="no address"),
        pytest.param("Ana Berg <support>", None, id="not an address"),
        pytest.param("Ana Berg <a@partner.example> call me", None, id="not a phone"),
        pytest.param("Ana <a@partner.example> Ben <b@partner.example>", None, id="two people"),
    ],
)
def test_a_line_is_taken_apart(line: str, person: ContactPerson | None):
    assert contact_person(line) == person
