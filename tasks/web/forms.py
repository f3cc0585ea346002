"""A form made from a serializer: its fields for our templates, and what was filled in as parameters."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from django.core.validators import RegexValidator
from django.http import QueryDict
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.fields import empty

from tasks.models import TaskFile
from tasks.parameters import FileParameter, FilesParameter

Declared = serializers.Field[Any, Any, Any, Any]
RADIO_CHOICES = 5  # more are a drop-down list
FILES = (FileParameter, FilesParameter)
NUMBERS = (serializers.IntegerField, serializers.FloatField, serializers.DecimalField)
STRUCTURED = (serializers.JSONField, serializers.DictField, serializers.BaseSerializer)


def widget_of(declared: Declared) -> str:
    """The template in tasks/fields/ that shows such a field."""
    if isinstance(declared, FILES):
        return "file"
    if isinstance(declared, serializers.BooleanField):
        return "checkbox"
    if isinstance(declared, serializers.MultipleChoiceField):
        return "choices"
    if isinstance(declared, serializers.ChoiceField):
        return "radio" if len(declared.choices) <= RADIO_CHOICES else "select"
    if isinstance(declared, NUMBERS):
        return "number"
    if isinstance(declared, serializers.DateTimeField):
        return "datetime"
    if isinstance(declared, serializers.ListField):
        return "choices" if isinstance(declared.child, serializers.ChoiceField) else "list"
    if isinstance(declared, STRUCTURED) or declared.style.get("base_template") == "textarea.html":
        return "textarea"
    return "text"


@dataclass
class FormField:
    """One field as a template shows it. `value` is what a person typed, or the default."""

    declared: Declared
    name: str
    prefix: str = ""
    value: Any = None
    errors: list[str] = field(default_factory=list)
    kept: list[TaskFile] = field(default_factory=list)  # files of an earlier task, used again
    is_broken_json: bool = False

    @property
    def html_name(self) -> str:
        return f"{self.prefix}{self.name}"

    @property
    def id(self) -> str:
        return f"field-{self.html_name}"

    @cached_property
    def widget(self) -> str:
        return widget_of(self.declared)

    @property
    def template(self) -> str:
        return f"tasks/fields/{self.widget}.html"

    @property
    def label(self) -> str:
        return str(self.declared.label or self.name.replace("_", " ").capitalize())

    @property
    def help(self) -> str:
        return str(self.declared.help_text or "")

    @property
    def required(self) -> bool:
        return self.declared.required and self.widget != "checkbox"

    @property
    def described_by(self) -> str:
        ids = [f"{self.id}-error"] if self.errors else []
        return " ".join([*ids, f"{self.id}-help"] if self.help or self.widget in {"file", "list"} else ids)

    @property
    def input_type(self) -> str:
        known = {serializers.EmailField: "email", serializers.URLField: "url"}
        wanted = self.declared.style.get("input_type")
        return wanted or next((kind for cls, kind in known.items() if isinstance(self.declared, cls)), "text")

    @property
    def is_short(self) -> bool:
        """Whether two such fields fit side by side."""
        return self.max_length is not None and self.max_length <= 40

    # --- limits that the browser may check first

    @property
    def max_length(self) -> int | None:
        return getattr(self.declared, "max_length", None)

    # As text: a template would write 1000 as 1,000 in some languages.
    @property
    def minimum(self) -> str:
        least = getattr(self.declared, "min_value", None)
        return "" if least is None else str(least)

    @property
    def maximum(self) -> str:
        most = getattr(self.declared, "max_value", None)
        return "" if most is None else str(most)

    @property
    def step(self) -> str:
        return "1" if isinstance(self.declared, serializers.IntegerField) else "any"

    @property
    def pattern(self) -> str:
        simple = [v for v in self.declared.validators if isinstance(v, RegexValidator) and not v.inverse_match]
        return getattr(simple[0].regex, "pattern", "") if len(simple) == 1 else ""

    @property
    def is_multiple(self) -> bool:
        return isinstance(self.declared, FilesParameter)

    @property
    def accept(self) -> str:
        return ",".join(getattr(self.declared, "extensions", ()))

    @property
    def endings(self) -> str:
        return ", ".join(getattr(self.declared, "extensions", ()))

    @property
    def limit(self) -> int:
        return getattr(self.declared, "limit", 0)

    @property
    def limit_in_words(self) -> str:
        """ "20 MB": a limit is a round number, and is said as one."""
        return re.sub(r"[.,]0(?!\d)", "", filesizeformat(self.limit))

    @cached_property
    def options(self) -> list[tuple[str, str, bool]]:
        """Value, label, and whether it is chosen."""
        source = self.declared.child if isinstance(self.declared, serializers.ListField) else self.declared
        chosen = self.value if isinstance(self.value, list | tuple | set) else [self.value]
        texts = {str(value) for value in chosen if value is not None}
        return [
            (str(value), str(label), str(value) in texts) for value, label in getattr(source, "choices", {}).items()
        ]

    @property
    def is_structured(self) -> bool:
        """Whether it is written as JSON."""
        return isinstance(self.declared, STRUCTURED)

    @property
    def is_checked(self) -> bool:
        return self.value in {True, "true", "on", "True", "1"}

    @property
    def text(self) -> str:
        """The value as text for an input or a text area."""
        if self.value is None or self.value is empty:
            return ""
        if self.widget == "list":
            return self.value if isinstance(self.value, str) else "\n".join(map(str, self.value))
        if self.is_structured and not isinstance(self.value, str):
            return json.dumps(self.value, indent=2, ensure_ascii=False)
        if isinstance(self.value, float) and self.value.is_integer():
            return str(int(self.value))
        if isinstance(self.value, datetime):
            return timezone.localtime(self.value).strftime("%Y-%m-%dT%H:%M")
        return str(self.value)


class Form:
    """The fields of a serializer, with defaults, given values or what came in, and its errors."""

    def __init__(self, serializer: serializers.Serializer[Any], *, prefix: str = "") -> None:
        self.fields = [
            FormField(declared, name, prefix, _default(declared))
            for name, declared in serializer.fields.items()
            if not declared.read_only and not isinstance(declared, serializers.HiddenField)
        ]

    def __iter__(self) -> Iterator[FormField]:
        return iter(self.fields)

    def fill(self, values: Mapping[str, Any]) -> None:
        """Show these values: those of an earlier task."""
        for one in self.fields:
            if one.name in values:
                one.value = values[one.name]

    def keep(self, files: Iterable[TaskFile]) -> None:
        """Offer these files again, each at the parameter it is for."""
        by_parameter = {one.name: one for one in self.fields if one.widget == "file"}
        for file in files:
            if file.parameter in by_parameter:
                by_parameter[file.parameter].kept.append(file)

    def read(self, post: QueryDict, uploads: MultiValueDict[str, Any]) -> dict[str, Any]:
        """What was filled in, as parameters: an empty field is left out, so that its default holds."""
        parameters = {}
        for one in self.fields:
            value = _read_files(one, post, uploads) if one.widget == "file" else _read(one, post)
            if value is not empty:
                parameters[one.name] = value
        return parameters

    def show_errors(self, detail: Any) -> list[str]:
        """Put errors at their fields; give back those that belong to none."""
        detail = detail if isinstance(detail, Mapping) else {"": detail}
        by_name = {one.name: one for one in self.fields}
        rest = []
        for name, problem in detail.items():
            if name in by_name:
                one = by_name[name]
                one.errors = [_("This is not valid JSON.")] if one.is_broken_json else flat(problem)
            else:
                rest += flat(problem)
        return rest

    @property
    def errors(self) -> list[tuple[FormField, str]]:
        return [(one, error) for one in self.fields for error in one.errors]


class NoJson(str):
    """Text that was meant as JSON: a JSONField refuses it, instead of taking it as a string."""

    is_json_string = True


def _default(declared: Declared) -> Any:
    """What the form starts with: `initial` where the declaration gives one beside the default."""
    default = declared.default
    if declared.initial != type(declared).initial:
        return declared.initial
    if default is empty:
        return declared.initial if not isinstance(declared, FILES) else None
    return default() if callable(default) else default


def _read_files(one: FormField, post: QueryDict, uploads: MultiValueDict[str, Any]) -> Any:
    chosen = uploads.getlist(one.html_name) or post.getlist(one.html_name)
    chosen = [value for value in chosen if value]
    if not chosen:
        return empty
    return chosen if one.is_multiple else chosen[-1]


def _read(one: FormField, post: QueryDict) -> Any:
    if one.html_name not in post:
        if one.widget != "choices" or not post:
            return empty
        one.value = []  # every tick was taken away
        return []
    raw = post.getlist(one.html_name)
    text = raw[-1].replace("\r\n", "\n")
    one.value = raw if one.widget == "choices" else text
    if one.widget == "choices":
        return [value for value in raw if value]
    if one.widget == "list":
        return [line.strip() for line in text.splitlines() if line.strip()] or empty
    if text.strip() == "":
        # An empty text is a value where the field allows one; anything else falls back to its default.
        return text if getattr(one.declared, "allow_blank", False) else empty
    if one.is_structured:
        try:
            return json.loads(text)
        except ValueError:
            one.is_broken_json = True
            return NoJson(text)
    if one.widget == "datetime":
        return _local_time(text)
    return text


def _local_time(text: str) -> Any:
    """A browser gives a time without its zone: it is meant in TaskHub's."""
    try:
        return timezone.make_aware(datetime.fromisoformat(text))
    except ValueError:
        return text


def flat(problem: Any) -> list[str]:
    """The sentences in a ValidationError's detail, however deep."""
    if isinstance(problem, Mapping):
        pairs = [(key, sentence) for key, inner in problem.items() for sentence in flat(inner)]
        return [
            _("%(number)s: %(error)s") % {"number": key + 1, "error": s} if isinstance(key, int) else s
            for key, s in pairs
        ]
    if isinstance(problem, list | tuple):
        return [sentence for one in problem for sentence in flat(one)]
    return [str(problem)]
