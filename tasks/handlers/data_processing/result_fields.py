"""The fields of the result, for the API's documentation; `result` fills them.

A JSONField is any value, null too.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers


class CommonValue(serializers.Serializer[Any]):
    value = serializers.JSONField()
    count = serializers.IntegerField()


class Bin(serializers.Serializer[Any]):
    """The bounds are of the column's type."""

    to = serializers.JSONField()
    count = serializers.IntegerField()

    def get_fields(self) -> dict[str, Any]:
        return {"from": serializers.JSONField(), **super().get_fields()}  # Python keeps the word


class Column(serializers.Serializer[Any]):
    """What does not apply to a column's type is null."""

    name = serializers.CharField()
    type = serializers.CharField(
        help_text=_("integer, number, boolean, date, datetime, time, duration, text or empty.")
    )
    written = serializers.CharField(help_text=_("How the file writes its values."))
    values = serializers.IntegerField()
    nulls = serializers.IntegerField()
    unreadable = serializers.IntegerField(help_text=_("Values that are not of the type."))
    distinct = serializers.IntegerField()
    distinct_is_exact = serializers.BooleanField()
    min = serializers.JSONField()
    max = serializers.JSONField()
    mean = serializers.JSONField()
    std = serializers.FloatField(allow_null=True)
    q25 = serializers.JSONField()
    q50 = serializers.JSONField()
    q75 = serializers.JSONField()
    sum = serializers.FloatField(allow_null=True)
    outliers = serializers.IntegerField(allow_null=True)
    shortest = serializers.IntegerField(allow_null=True, help_text=_("In letters."))
    longest = serializers.IntegerField(allow_null=True, help_text=_("In letters."))
    top = CommonValue(many=True, allow_null=True, help_text=_("The commonest values."))
    top_is_exact = serializers.BooleanField(
        allow_null=True, help_text=_("False: which values are the commonest was judged by a sample.")
    )
    histogram = Bin(many=True, allow_null=True)


class Correlation(serializers.Serializer[Any]):
    a = serializers.CharField()
    b = serializers.CharField()
    r = serializers.FloatField()


class FirstRows(serializers.Serializer[Any]):
    names = serializers.ListField(child=serializers.CharField())
    rows = serializers.ListField(child=serializers.ListField(child=serializers.JSONField()))


class Result(serializers.Serializer[Any]):
    rows_processed = serializers.IntegerField()
    total_sum = serializers.FloatField(allow_null=True)
    average = serializers.FloatField(allow_null=True)
    max_value = serializers.FloatField(allow_null=True)
    min_value = serializers.FloatField(allow_null=True)
    numeric_column = serializers.CharField(
        allow_null=True, help_text=_("The first column of numbers: the four figures before are its own.")
    )
    processing_time = serializers.FloatField(help_text=_("Seconds."))
    file = serializers.DictField(
        child=serializers.CharField(), help_text=_("Name and format, and how it was read: encoding, separator, header.")
    )
    rows = serializers.IntegerField()
    empty_cells = serializers.IntegerField()
    empty_share = serializers.FloatField()
    sampled_rows = serializers.IntegerField(
        allow_null=True,
        help_text=_(
            "Of a big file: quartiles, correlations and the edges of histograms come from a sample of up to so many rows. Else null."
        ),
    )
    repeated_rows = serializers.IntegerField()
    lines_set_aside = serializers.IntegerField()
    warnings = serializers.ListField(child=serializers.CharField())
    columns = Column(many=True)
    correlations = Correlation(many=True)
    first_rows = FirstRows()
