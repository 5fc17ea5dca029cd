"""Parquet files, one per table: a row group is a slice of orders. Alone knows pyarrow, which is optional."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from shared.archive.tables import Column, Row

TYPES: Mapping[str, Any] = {
    "int8": pa.int64(), "int4": pa.int32(), "int2": pa.int16(), "bool": pa.bool_(), "text": pa.string(),
    "jsonb": pa.string(), "uuid": pa.string(), "bytea": pa.binary(), "timestamptz": pa.timestamp("us", tz="UTC"),
    "_text": pa.list_(pa.string()), "numeric": pa.string(), "date": pa.date32(), "float8": pa.float64(),
}  # fmt: skip
"""PostgreSQL's type → how it is written. A type that is not here stops the run before anything is written."""

KIND = b"connect.type"


def schema(columns: Sequence[Column]) -> Any:
    """The file's columns, each with the type it has in PostgreSQL. Raises KeyError for a type nobody thought of."""
    return pa.schema([pa.field(c.name, TYPES[c.type], metadata={KIND: c.type.encode()}) for c in columns])


class Writer:
    """Writes one file, a slice at a time. Leaving it closes the file; fsync is the caller's."""

    def __init__(self, path: Path, columns: Sequence[Column]) -> None:
        self._schema = schema(columns)
        self._file = parquet.ParquetWriter(path, self._schema, compression="zstd")
        self.rows = 0

    def write(self, rows: Sequence[Row]) -> None:
        """One row group; an empty one keeps the slices of all files beside each other."""
        columns = list(zip(*rows, strict=True)) or [() for _ in self._schema]
        arrays = [pa.array(values, type=field.type) for values, field in zip(columns, self._schema, strict=True)]
        self._file.write_table(pa.Table.from_arrays(arrays, schema=self._schema), row_group_size=max(1, len(rows)))
        self.rows += len(rows)

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()


class Reader:
    """Reads one file back. Raises pyarrow.ArrowInvalid where it is none."""

    def __init__(self, path: Path) -> None:
        self._file = parquet.ParquetFile(path)
        self.slices: int = self._file.num_row_groups
        self.rows: int = self._file.metadata.num_rows
        self.columns = [Column(field.name, field.metadata[KIND].decode()) for field in self._file.schema_arrow]

    def slice(self, no: int) -> list[Row]:
        """The rows of one slice, as they were written."""
        found = self._file.read_row_group(no)
        return list(zip(*(column.to_pylist() for column in found.columns), strict=True))

    def all(self) -> Iterator[Row]:
        """Every row."""
        for no in range(self.slices):
            yield from self.slice(no)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
