"""Avro object container files of flat records, a column at a time.

Apache's own library takes a row at a time, several times as long, and is a package more.
Source: the Avro specification, 1.12.
"""

from __future__ import annotations

import bz2
import hashlib
import json
import struct
import zlib
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow

MAGIC = b"Obj\x01"
SYNC_BYTES = 16
SMALL = [bytes([number]) for number in range(128)]

Decoded = tuple[Any, int]
"""A value, and where the next one begins."""


class MalformedAvro(Exception):
    """It is not as the specification says."""


class Reader:
    """One file; `schema` is that of whoever wrote it."""

    def __init__(self, file: str) -> None:
        self.file = file
        try:
            with open(file, "rb") as stream:
                meta = _head(stream)
                self._start = stream.tell() + SYNC_BYTES
            self.codec = meta.get("avro.codec", b"null").decode()
            self.schema = json.loads(meta["avro.schema"])
            self.fields: list[dict[str, Any]] = self.schema["fields"]
        except (IndexError, KeyError, TypeError, ValueError) as error:
            raise MalformedAvro(f"its head is broken ({error})") from error
        if self.codec not in _DECOMPRESS:
            raise MalformedAvro(f"nothing here decompresses `{self.codec}`")

    def blocks(self) -> Iterator[tuple[int, bytes]]:
        """The rows of each block: how many, and themselves."""
        try:
            with open(self.file, "rb") as stream:
                stream.seek(self._start)
                while (first := stream.read(1)) != b"":
                    stream.seek(-len(first), 1)
                    count, size = _read_long(stream), _read_long(stream)
                    data = stream.read(size)
                    if len(data) != size or len(stream.read(SYNC_BYTES)) != SYNC_BYTES:
                        raise MalformedAvro("it ends in the middle of a block")
                    yield count, _DECOMPRESS[self.codec](data)
        except (IndexError, ValueError, OSError, zlib.error, pyarrow.ArrowException) as error:
            raise MalformedAvro(f"a block is broken ({error})") from error

    def columns(self) -> Iterator[dict[str, list[Any]]]:
        """The values of each block, by column; dates and moments are numbers, as they stand there."""
        try:
            readers = [_decoder(field["type"]) for field in self.fields]
            for count, data in self.blocks():
                values: list[list[Any]] = [[] for _ in readers]
                appends = [(read, column.append) for read, column in zip(readers, values, strict=True)]
                at = 0
                for _ in range(count):
                    for read, append in appends:
                        value, at = read(data, at)
                        append(value)
                yield {field["name"]: column for field, column in zip(self.fields, values, strict=True)}
        except (IndexError, KeyError, ValueError) as error:
            raise MalformedAvro(f"a row is broken ({error})") from error


def write(target: Path, name: str, fields: list[dict[str, Any]], blocks: Iterator[list[list[Any]]]) -> None:
    """Writes a file of nullable `fields`. A block is its columns, in their order."""
    schema = json.dumps({"type": "record", "name": name, "fields": fields}).encode()
    meta = {b"avro.schema": schema, b"avro.codec": b"deflate"}
    sync = hashlib.sha256(schema).digest()[:SYNC_BYTES]  # any marker will do, and this one makes no run differ
    encoders = [_encoder(field["type"][1]) for field in fields]
    with target.open("wb") as stream:
        head = b"".join(_bytes(key) + _bytes(value) for key, value in meta.items())
        stream.write(MAGIC + _long(len(meta)) + head + _long(0) + sync)
        for columns in blocks:
            encoded = (
                [b"\x00" if value is None else b"\x02" + encode(value) for value in column]
                for encode, column in zip(encoders, columns, strict=True)
            )
            rows = [b"".join(row) for row in zip(*encoded, strict=True)]
            compressor = zlib.compressobj(wbits=-15)
            data = compressor.compress(b"".join(rows)) + compressor.flush()
            stream.write(_long(len(rows)) + _long(len(data)) + data + sync)


def _head(stream: BinaryIO) -> dict[str, bytes]:
    if stream.read(len(MAGIC)) != MAGIC:
        raise MalformedAvro("it does not begin as Avro does")
    meta = {}
    while count := _read_long(stream):
        if count < 0:  # then its size in bytes follows
            count, _ = -count, _read_long(stream)
        for _ in range(count):
            key = stream.read(_read_long(stream)).decode()
            meta[key] = stream.read(_read_long(stream))
    return meta


def _read_long(stream: BinaryIO) -> int:
    number = shift = 0
    while True:
        byte = stream.read(1)[0]
        number |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return (number >> 1) ^ -(number & 1)


def _snappy(data: bytes) -> bytes:
    """Behind the block stands its checksum; before it its size, seven bits a byte."""
    size = shift = 0
    for byte in data:
        size |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            break
    return pyarrow.decompress(data[:-4], size, codec="snappy", asbytes=True)


def _zstandard(data: bytes) -> bytes:
    with pyarrow.CompressedInputStream(pyarrow.BufferReader(data), "zstd") as stream:
        return stream.read()


_DECOMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "null": bytes,
    "deflate": lambda data: zlib.decompress(data, wbits=-15),
    "snappy": _snappy,
    "bzip2": bz2.decompress,
    "zstandard": _zstandard,
}


def _decode_long(data: bytes, at: int) -> Decoded:
    byte = data[at]
    at += 1
    number, shift = byte & 0x7F, 7
    while byte & 0x80:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
    return (number >> 1) ^ -(number & 1), at


def _decode_bytes(data: bytes, at: int) -> Decoded:
    size, at = _decode_long(data, at)
    if size < 0 or at + size > len(data):
        raise MalformedAvro("a text reaches beyond its block")
    return data[at : at + size], at + size


def _decode_string(data: bytes, at: int) -> Decoded:
    value, at = _decode_bytes(data, at)
    return value.decode(), at


def _decode_boolean(data: bytes, at: int) -> Decoded:
    return data[at] == 1, at + 1


def _decode_float(kind: str, size: int) -> Callable[[bytes, int], Decoded]:
    unpack = struct.Struct(kind).unpack_from
    return lambda data, at: (unpack(data, at)[0], at + size)


def _decoder(kind: Any) -> Callable[[bytes, int], Decoded]:
    """What reads a value of a type of Avro that a column can have."""
    if isinstance(kind, list):
        branches = [_decoder(one) for one in kind]

        def union(data: bytes, at: int) -> Decoded:
            branch, at = _decode_long(data, at)
            return branches[branch](data, at)

        return union
    if isinstance(kind, dict):
        if kind.get("logicalType") == "decimal":
            scale, fixed = kind.get("scale", 0), kind.get("size")

            def decimal(data: bytes, at: int) -> Decoded:
                value, at = (data[at : at + fixed], at + fixed) if fixed else _decode_bytes(data, at)
                return Decimal(int.from_bytes(value, "big", signed=True)).scaleb(-scale), at

            return decimal
        if kind["type"] == "enum":
            symbols = kind["symbols"]

            def enum(data: bytes, at: int) -> Decoded:
                symbol, at = _decode_long(data, at)
                return symbols[symbol], at

            return enum
        return _decoder(kind["type"])
    if kind not in _DECODE:
        raise MalformedAvro(f"no column can be `{kind}`")
    return _DECODE[kind]


_DECODE: dict[str, Callable[[bytes, int], Decoded]] = {
    "null": lambda _data, at: (None, at),
    "boolean": _decode_boolean,
    "int": _decode_long,
    "long": _decode_long,
    "float": _decode_float("<f", 4),
    "double": _decode_float("<d", 8),
    "bytes": _decode_bytes,
    "string": _decode_string,
}


def _long(number: int) -> bytes:
    number = (number << 1) ^ (number >> 63)
    if number < 128:
        return SMALL[number]
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)


def _bytes(value: bytes) -> bytes:
    return _long(len(value)) + value


def _encoder(kind: Any) -> Callable[[Any], bytes]:
    if isinstance(kind, dict):
        if kind.get("logicalType") != "decimal":
            return _encoder(kind["type"])
        scale = kind["scale"]

        def decimal(value: Decimal) -> bytes:
            unscaled = int(value.scaleb(scale))
            return _bytes(unscaled.to_bytes(unscaled.bit_length() // 8 + 1, "big", signed=True))

        return decimal
    return _ENCODE[kind]


_ENCODE: dict[str, Callable[[Any], bytes]] = {
    "boolean": lambda value: SMALL[value],
    "int": _long,
    "long": _long,
    "float": struct.Struct("<f").pack,
    "double": struct.Struct("<d").pack,
    "bytes": _bytes,
    "string": lambda value: _bytes(value.encode()),
}
