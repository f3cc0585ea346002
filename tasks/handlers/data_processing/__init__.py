"""DATA_PROCESSING: profiles a table of any format and saves it cleaned.

`handler` is the task type and its steps. In their order: `content` judges a file by its bytes, `unpacking` makes it
plain, `delimited` (with `dialect`, `sampling`, `mending`, `rejects`), `json_objects`, `parquet` and `workbook` turn it
into a `source`, `guessing` finds each column's kind among `kinds`, `loading` writes typed rows (`casting`,
`unreadable`), all led by `reading`; of a big CSV `one_pass` (with `questions`) writes none and profiles it as it reads.
`profile` (with `spread`, `commonest`, `axes`), `relations` and `caveats` (with `lines`) say what the rows hold,
`result` puts it together as `result_fields` declares it, `outputs` saves the files. `database` is DuckDB within
limits, `progress` reports, `sample` makes sample data.
"""

from tasks.handlers.data_processing import handler

__all__ = ["handler"]
