"""What is secret among a task's parameters is stored for its handler and shown to nobody."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Any

MASK = "••••••"
WORDS = (
    r"(?:passw|passphrase|passcode|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|authorization|credential"
    r"|cookie)"
)
SECRET_NAME = re.compile(rf"{WORDS}|(?<![a-z])pwd(?![a-z])", re.IGNORECASE)
NAME = rf"(?<![\w.-])[\w.-]{{0,40}}?{WORDS}[\w.-]{{0,40}}"
# Names are bounded: a long text without any is read once.
IN_TEXT = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?<=://)(?P<secret>[^/\s:@]*:[^/\s]+)(?=@)",  # of an address
        rf"{NAME}\s?=\s?(?P<secret>[^\s&#\"'•]+)",  # in a query, an option, an environment
        r"(?<=[?&])(?:x-[a-z]{1,9}-)?sig(?:nature)?=(?P<secret>[^\s&#\"']+)",  # of an address that lets in
        rf"\"[^\"\n]{{0,40}}?{WORDS}[^\"\n]{{0,40}}\"\s?:\s?\"(?P<secret>(?:[^\"\\]|\\.)+)",  # in JSON
        # In quotes: Python's, JSON's within JSON, an assignment's.
        rf"{NAME}\\?[\"']?\s?[:=]\s?b?(?P<quote>\\?[\"'])(?P<secret>(?:(?!(?P=quote))(?:[^\\\n]|\\.))+)",
        rf"{NAME}:\s?(?P<secret>(?=\S*\d)[^\s\"',;]{{6,}})",  # as YAML; "password: click here" is none
        rf"(?<![\w-])--?[\w-]{{0,40}}?{WORDS}[\w-]{{0,40}}\s(?P<secret>[^\s\"'-][^\s\"']*)",  # an option's next word
        r"(?<![\w-])(?:(?:proxy-)?authorization|(?:set-)?cookie|x-[\w-]{0,40}(?:token|key|secret)):\s?"
        r"(?P<secret>[^\r\n\"']+)",
        r"(?<![\w-])(?:bearer|basic)\s(?=[a-z.~+/=_-]*[\d=])(?P<secret>[\w.~+/=-]{8,})",  # "basic structure" is none
        r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----(?P<secret>[^-]+)",
    )
]
# An option whose value is the next argument.
OPTION = re.compile(rf"--?[\w-]{{0,40}}?{WORDS}[\w-]{{0,40}}", re.IGNORECASE)
# One of these is in every text that has a secret; to look for them takes a tenth of looking for the patterns.
SIGNS = (
    "://",
    "pass",
    "secret",
    "token",
    "key",
    "authorization",
    "credential",
    "cookie",
    "bearer",
    "basic",
    "sig",
)


def masked(value: Any) -> Any:
    """A copy with the values of secret names replaced, and what is secret within texts."""
    if isinstance(value, dict):
        return {name: MASK if inner and SECRET_NAME.search(name) else masked(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return list(_elements(value))
    return masked_text(value) if isinstance(value, str) else value


def _elements(values: list[Any]) -> Iterator[Any]:
    """Of a list: `--token` makes the next one a secret."""
    former: Any = None
    for value in values:
        is_secret = isinstance(former, str) and isinstance(value, str) and value and OPTION.fullmatch(former)
        yield MASK if is_secret else masked(value)
        former = value


def masked_text(text: str) -> str:
    """The text without passwords in addresses, tokens in queries, and the like."""
    lower = text.lower()
    if any(sign in lower for sign in SIGNS):
        for pattern in IN_TEXT:
            text = pattern.sub(_without_secret, text)
    return text


class MaskedFormatter(logging.Formatter):
    """For what the hub's own processes log, tracebacks and words of handlers and databases among it."""

    def format(self, record: logging.LogRecord) -> str:
        return masked_text(super().format(record))


def _without_secret(match: re.Match[str]) -> str:
    whole, begin, end = match[0], match.start("secret") - match.start(), match.end("secret") - match.start()
    return f"{whole[:begin]}{MASK}{whole[end:]}"


def holds_mask(value: Any) -> bool:
    """Whether something was copied from where it is shown: the secret is not in it."""
    if isinstance(value, dict):
        return any(holds_mask(inner) for inner in value.values())
    if isinstance(value, list):
        return any(holds_mask(inner) for inner in value)
    return isinstance(value, str) and MASK in value
