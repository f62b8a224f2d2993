"""Bytes: NATS over a plain socket, MessagePack written in any width and read strictly, JSON with every digit."""
import json
import pathlib
import socket
import struct
import sys
from decimal import Decimal, getcontext
from urllib.parse import urlparse

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "ops/examples/clients/python"))

# Differences and negations are exact, however many digits an amount has.
getcontext().prec = 1000

TIMEOUT_S = 10
DEPTH_MAX = 64
BOM = b"\xef\xbb\xbf"


class Nats:
    """One connection of a publisher."""

    def __init__(self, url):
        address = urlparse(url)
        self._socket = socket.create_connection((address.hostname, address.port), TIMEOUT_S)
        self._lines = self._socket.makefile("rb")
        assert self._lines.readline().startswith(b"INFO "), "no NATS server"
        options = {"verbose": False, "pedantic": False, "headers": True, "lang": "python", "version": "1"}
        self._socket.sendall(b"CONNECT " + json.dumps(options).encode() + b"\r\n")

    def put(self, subject, payload, headers):
        name = subject.encode()
        if headers:
            lines = "".join(f"{key}: {value}\r\n" for key, value in headers.items())
            head = f"NATS/1.0\r\n{lines}\r\n".encode()
            sizes = b"%d %d" % (len(head), len(head) + len(payload))
            self._socket.sendall(b"HPUB %s %s\r\n" % (name, sizes) + head + payload + b"\r\n")
        else:
            self._socket.sendall(b"PUB %s %d\r\n" % (name, len(payload)) + payload + b"\r\n")

    def flush(self):
        self._socket.sendall(b"PING\r\n")
        while True:
            line = self._lines.readline()
            if line.startswith(b"PONG"):
                return
            if line.startswith(b"PING"):
                self._socket.sendall(b"PONG\r\n")
            assert line and not line.startswith(b"-ERR"), line

    def close(self):
        self._lines.close()
        self._socket.close()


class Wide:
    """A MessagePack integer that is written with 64 bits, however small."""

    def __init__(self, value):
        self.value = value


class Float32:
    def __init__(self, value):
        self.value = value


class Time:
    """A MessagePack timestamp of 32, 64 or 96 bits."""

    def __init__(self, nanos, bits):
        self.nanos, self.bits = nanos, bits


class Raw:
    """Digits that stand in JSON as they are: forms that no Python number writes."""

    def __init__(self, text):
        self.text = text


def to_json(value):
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{to_json(item)}" for name, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(to_json, value)) + "]"
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Wide):
        return str(value.value)
    return json.dumps(value, ensure_ascii=False)


def to_msgpack(value):
    if value is None or isinstance(value, bool):
        return {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[value]
    if isinstance(value, int):
        return _packed_int(value)
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, Float32):
        return b"\xca" + struct.pack(">f", value.value)
    if isinstance(value, Wide):
        return b"\xcf" + struct.pack(">Q", value.value) if value.value >= 0 else b"\xd3" + struct.pack(">q", value.value)
    if isinstance(value, Time):
        return _packed_time(value)
    if isinstance(value, str):
        data = value.encode()
        return _sized(len(data), 31, 0xA0, (0xD9, 0xDA, 0xDB)) + data
    if isinstance(value, (list, tuple)):
        return _sized(len(value), 15, 0x90, (None, 0xDC, 0xDD)) + b"".join(map(to_msgpack, value))
    if isinstance(value, dict):
        members = b"".join(to_msgpack(name) + to_msgpack(item) for name, item in value.items())
        return _sized(len(value), 15, 0x80, (None, 0xDE, 0xDF)) + members
    raise TypeError(f"not MessagePack: {value!r}")


def _packed_int(value):
    for low, high, head, form in (
        (0, 0x7F, b"", ">B"),
        (-32, -1, b"", ">b"),
        (0, 0xFF, b"\xcc", ">B"),
        (0, 0xFFFF, b"\xcd", ">H"),
        (0, 0xFFFFFFFF, b"\xce", ">I"),
        (0, 2**64 - 1, b"\xcf", ">Q"),
        (-(2**7), -1, b"\xd0", ">b"),
        (-(2**15), -1, b"\xd1", ">h"),
        (-(2**31), -1, b"\xd2", ">i"),
        (-(2**63), -1, b"\xd3", ">q"),
    ):
        if low <= value <= high:
            return head + struct.pack(form, value)
    raise TypeError(f"over 64 bits: {value}")


def _packed_time(time):
    seconds, nanos = divmod(time.nanos, 10**9)
    if time.bits == 32:
        assert nanos == 0
        return b"\xd6\xff" + struct.pack(">I", seconds)
    if time.bits == 64:
        return b"\xd7\xff" + struct.pack(">Q", nanos << 34 | seconds)
    return b"\xc7\x0c\xff" + struct.pack(">Iq", nanos, seconds)


def _sized(count, short_max, short, heads):
    if count <= short_max:
        return bytes([short | count])
    for head, form, maximum in zip(heads, (">B", ">H", ">I"), (0xFF, 0xFFFF, 0xFFFFFFFF)):
        if head is not None and count <= maximum:
            return bytes([head]) + struct.pack(form, count)
    raise TypeError("too long")


class Malformed(Exception):
    """Not what the wire may carry."""


def read_json(text):
    """Exactly, and only text that UTF-8 can carry."""
    try:
        text.encode()
        value = json.loads(text, parse_float=Decimal, parse_constant=_refused)
        json.dumps(value, default=str, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise Malformed(f"half a surrogate pair: {error}") from error
    return value


def _refused(name):
    raise Malformed(f"{name} is not JSON")


def read_msgpack(data, is_strict=True):
    """One value and nothing behind it. Strict is what a gateway may send: plain types, valid UTF-8, texts as names, integer
    types for whole numbers of up to 64 bits. Otherwise timestamps may come, too, and are `Time`."""
    value, end = _read(data, 0, 0, is_strict)
    if end != len(data):
        raise Malformed(f"{len(data) - end} bytes behind the value")
    return value


def _read(data, at, depth, is_strict):
    if depth > DEPTH_MAX or at >= len(data):
        raise Malformed("too deep, or cut off")
    head = data[at]
    at += 1
    if head < 0x80:
        return head, at
    if head >= 0xE0:
        return head - 0x100, at
    if head < 0x90:
        return _read_map(data, at, head & 0xF, depth, is_strict)
    if head < 0xA0:
        return _read_array(data, at, head & 0xF, depth, is_strict)
    if head < 0xC0:
        return _read_text(data, at, head & 0x1F)
    if head in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[head], at
    if head in (0xCA, 0xCB):
        value, at = _unpack(data, at, ">f" if head == 0xCA else ">d")
        if is_strict and value == int(value) and -(2**63) <= value < 2**64:
            raise Malformed(f"the whole number {value!r} is a float")
        return value, at
    if 0xCC <= head <= 0xD3:
        return _unpack(data, at, ">" + "BHIQbhiq"[head - 0xCC])
    if 0xD9 <= head <= 0xDB:
        size, at = _unpack(data, at, ">" + "BHI"[head - 0xD9])
        return _read_text(data, at, size)
    if head in (0xDC, 0xDD):
        count, at = _unpack(data, at, ">" + "HI"[head - 0xDC])
        return _read_array(data, at, count, depth, is_strict)
    if head in (0xDE, 0xDF):
        count, at = _unpack(data, at, ">" + "HI"[head - 0xDE])
        return _read_map(data, at, count, depth, is_strict)
    if head in (0xD6, 0xD7, 0xC7) and not is_strict:
        return _read_time(data, at, head)
    raise Malformed(f"type {head:#x}")


def _unpack(data, at, form):
    end = at + struct.calcsize(form)
    if end > len(data):
        raise Malformed("cut off")
    return struct.unpack(form, data[at:end])[0], end


def _read_text(data, at, size):
    if at + size > len(data):
        raise Malformed("cut off")
    try:
        return data[at : at + size].decode("utf-8", "strict"), at + size
    except UnicodeDecodeError as error:
        raise Malformed(f"not UTF-8: {error}") from error


def _read_array(data, at, count, depth, is_strict):
    items = []
    for _ in range(count):
        item, at = _read(data, at, depth + 1, is_strict)
        items.append(item)
    return items, at


def _read_map(data, at, count, depth, is_strict):
    members = {}
    for _ in range(count):
        name, at = _read(data, at, depth + 1, is_strict)
        if not isinstance(name, str):
            raise Malformed(f"{name!r} is no name")
        members[name], at = _read(data, at, depth + 1, is_strict)
    return members, at


def _read_time(data, at, head):
    size = {0xD6: 4, 0xD7: 8}.get(head)
    if size is None:
        size, at = _unpack(data, at, ">B")
    kind, at = _unpack(data, at, ">b")
    if kind != -1:
        raise Malformed(f"extension {kind}")
    if size == 4:
        seconds, at = _unpack(data, at, ">I")
        return Time(seconds * 10**9, 32), at
    if size == 8:
        both, at = _unpack(data, at, ">Q")
        return Time((both & (2**34 - 1)) * 10**9 + (both >> 34), 64), at
    nanos, at = _unpack(data, at, ">I")
    seconds, at = _unpack(data, at, ">q")
    return Time(seconds * 10**9 + nanos, 96), at
