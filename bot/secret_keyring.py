"""Secrets from the system's keyring, under the service that BACKSTOP_KEYRING names: what is set nowhere else."""

from __future__ import annotations

from typing import Any

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from bot.secret_files import SecretFiles

SERVICE = "backstop_keyring"


class BadKeyring(Exception):
    """A keyring that does not say whether it has a secret; the message is one line that says what to do."""


class SecretKeyring(PydanticBaseSettingsSource):
    """For every setting that may be in a file and is neither in one nor written anywhere. Raises BadKeyring.

    Not even the library is looked for unless a service is named.
    """

    def __init__(self, settings: type[BaseSettings], files: SecretFiles) -> None:
        super().__init__(settings)
        self._files = files

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        service = self._files.written(SERVICE)
        return (_secret(service, field_name) if service else None), field_name, False

    def __call__(self) -> dict[str, Any]:
        given = self.current_state  # what a program was handed, and what a file gave
        service = given[SERVICE] if SERVICE in given else self._files.written(SERVICE)
        if not service:
            return {}
        open_ = (name for name in self._files.names if name not in given and not self._files.written(name))
        found = {name: _secret(service, name) for name in open_}
        return {name: secret for name, secret in found.items() if secret is not None}


def _secret(service: str, name: str) -> str | None:
    setting = name.upper()
    try:
        import keyring
    except ImportError:
        raise BadKeyring(
            "BACKSTOP_KEYRING is set, but the library is missing: pip install 'backstop[keyring]'"
        ) from None
    try:
        secret = keyring.get_password(service, setting)
    except keyring.errors.NoKeyringError:
        raise BadKeyring(
            f"{setting}: BACKSTOP_KEYRING is set, but this machine has no keyring: set {setting} or {setting}_FILE"
        ) from None
    except Exception as error:  # each keyring has errors of its own, and who knows what is in their words
        raise BadKeyring(
            f"{setting}: the keyring does not open ({type(error).__name__}): unlock it, or let this user read it"
        ) from None
    if secret is not None and not secret.strip():
        raise BadKeyring(f"{setting}: its entry in the keyring is empty")
    return secret
