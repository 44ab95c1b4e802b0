"""Secrets from files, as Docker and Kubernetes hand them over: `NAME_FILE=/run/secrets/name` in place of `NAME`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource

LARGEST = 64 * 1024
"""Bytes; no secret is as long."""


class BadSecretFile(Exception):
    """A file that gives no secret; the message is one line that says which setting, and what to do."""


class SecretFiles(PydanticBaseSettingsSource):
    """For every setting that is a secret, and for those in `also`; `written` are the sources that may name a file.

    Of these, the first counts most. A line break at the end of a file belongs to the file. Raises BadSecretFile.
    """

    def __init__(
        self, settings: type[BaseSettings], *written: PydanticBaseSettingsSource, also: tuple[str, ...] = ()
    ) -> None:
        super().__init__(settings)
        secrets = (n for n, field in settings.model_fields.items() if field.annotation == SecretStr | None)
        self.names = (*also, *secrets)
        self._variables: dict[str, str | None] = {}
        for source in reversed(written):
            if isinstance(source, EnvSettingsSource):
                self._variables |= {name.lower(): value for name, value in source.env_vars.items()}

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        return self._secret(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        given = self.current_state  # what a program was handed needs no file
        found = {name: self._secret(name) for name in self.names if name not in given}
        return {name: secret for name, secret in found.items() if secret is not None}

    def written(self, name: str) -> str:
        """What the sources have under that name; blank is nothing."""
        return (self._variables.get(name) or "").strip()

    def _secret(self, name: str) -> str | None:
        file = self.written(f"{name}_file")
        if not file:
            return None
        if self.written(name):
            raise BadSecretFile(f"{name.upper()} and {name.upper()}_FILE are both set: keep one of them")
        return _read(f"{name.upper()}_FILE", Path(file))


def _read(setting: str, file: Path) -> str:
    try:
        with file.open("rb") as opened:
            content = opened.read(LARGEST + 1)
        secret = content.decode("utf-8-sig").rstrip("\r\n")
    except OSError as error:
        raise BadSecretFile(f"{setting}: {file} cannot be read ({error.strerror})") from None
    except ValueError:
        raise BadSecretFile(f"{setting}: {file} is not text in UTF-8") from None
    if len(content) > LARGEST or "\n" in secret:
        raise BadSecretFile(f"{setting}: {file} has more than one line: it must hold the secret alone")
    if not secret.strip():
        raise BadSecretFile(f"{setting}: {file} is empty")
    return secret
