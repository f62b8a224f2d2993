#!/usr/bin/env python3
"""A Millrace client in one file, to copy and change. It needs Python 3.9 or newer and `websockets`; `msgpack` only for
format msgpack.

    python3 millrace.py --url ws://127.0.0.1:8080 --token … quotes:AAPL depth:BTC/USDT 'trades:*'

It has two halves. `Documents` does no I/O: give it each frame in order, and it keeps every document, proves that
nothing is missing and says what happened. `Client` connects, subscribes, asks for what is missing and comes back after
an outage.

Numbers are exact. JSON numbers become `int` or `decimal.Decimal`, never `float`; MessagePack integers become `int`, and
its floats stay `float`. Prices and quantities that are text stay text: `Decimal(text)` when you calculate with them.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import heapq
import http.client
import json
import pathlib
import random
import sys
import time
import unicodedata
import zlib
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, AsyncIterator, Callable, Dict, Iterable, List, NamedTuple, Optional, Set, Union
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

Frame = Dict[str, Any]

STATE_STREAMS = ("quotes", "orderbook", "depth")
CHECKSUM_LEVELS = 10
REASON_BYTES_MAX = 64 * 1024
FRAME_BYTES_MAX = 16 * 1024 * 1024
# More than any gateway sends: what answers at the address may be no gateway.
DOCUMENT_SIZE_MAX = 1024 * 1024
NESTING_MAX = 32
BACKOFF_FIRST_S = 0.5
BACKOFF_MAX_S = 30.0
# A connection that lasts this long ends the back-off; shorter ones lengthen it.
STABLE_AFTER_S = 10.0
PING_INTERVAL_S = 10.0
OPEN_TIMEOUT_S = 10.0
# Refused subscriptions are repeated after this; each time, the range doubles.
RETRY_FIRST_S = 1.0
RETRY_MAX_S = 8.0
# Refusals that say nothing about the topic.
MOMENTARY_CODES = frozenset({"rate_limited", "internal", "unavailable"})
# Answers to the upgrade that a second attempt would not change.
HOPELESS_STATUSES = frozenset({400, 401, 403, 404, 426})


class ProtocolError(Exception):
    """A frame is not what the protocol says."""


class TerminalError(Exception):
    """The gateway does not want this client back: a close code from 4500, or a refused upgrade."""


class Position(NamedTuple):
    """Where a topic stands. A `seq` means nothing without its `epoch`."""

    epoch: str
    seq: int


@dataclass(frozen=True)
class Event:
    """What a frame did, or what became of the connection.

    kind        topic   meaning
    snapshot    state   the document was replaced
    delta       state   the document was changed
    stale       state   the gateway lacks a message: the document is old until `whole`
    whole       state   the snapshot that ends `stale`
    message     event   one message, next in the chain
    gap         event   the gateway announces lost messages, `from` to `to`
    broken      any     frames are missing without a `gap` or `stale`; `Client` sends `resync` for a state topic
    proven      any     a heartbeat confirms what is held
    recovered   event   the answer to a resume: every missed message follows, in order
    unrecovered event   the answer to a resume: missed messages are lost, the chain begins again
    control     -       any other frame: `subscribed`, `error`, `warning`, `status`, `pong`, …
    open closed -       the connection
    """

    kind: str
    topic: str = ""
    frame: Frame = field(default_factory=dict)
    detail: str = ""


# --- Decoding -------------------------------------------------------------------------------------------------------


def decode(message: Union[str, bytes]) -> List[Frame]:
    """The frames in one WebSocket message: text is JSON, binary is MessagePack. Analytics come as arrays of frames."""
    try:
        if isinstance(message, str):
            value = json.loads(message, parse_float=Decimal, parse_constant=_no_constant)
        else:
            import msgpack  # Only where somebody asks for format msgpack.

            value = msgpack.unpackb(message, raw=False, strict_map_key=True)
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise ProtocolError(f"cannot be decoded: {error}") from error
    frames = value if isinstance(value, list) else [value]
    for frame in frames:
        if not isinstance(frame, dict) or not isinstance(frame.get("type"), str):
            raise ProtocolError(f"not a frame: {str(frame)[:100]}")
    return frames


def encode(value: Any) -> str:
    """JSON text with every digit of an `int` or `Decimal`."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(str(name))}:{encode(item)}" for name, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(encode(item) for item in value) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value)


def _no_constant(name: str) -> None:
    raise ProtocolError(f"{name} is not JSON")


# --- Documents and chains -------------------------------------------------------------------------------------------


class PatchError(Exception):
    """An operation does not fit the document."""


def apply_patch(document: Frame, operations: Iterable[Frame], is_own: Callable[[List[str]], bool]) -> None:
    """JSON Patch (RFC 6902) with the three operations that Millrace uses. `is_own` says which paths a frame may touch.
    The document is of no use after a `PatchError`."""
    for operation in operations:
        name, path = operation.get("op"), operation.get("path")
        if not isinstance(path, str) or not path.startswith("/"):
            raise PatchError(f"no path: {path}")
        tokens = [token.replace("~1", "/").replace("~0", "~") for token in path[1:].split("/")]
        if not is_own(tokens):
            raise PatchError(f"{path} is not this frame's to change")
        parent: Any = document
        for token in tokens[:-1]:
            parent = parent.get(token) if isinstance(parent, dict) else None
        if not isinstance(parent, dict):
            raise PatchError(f"nothing above {path}")
        if name not in ("add", "replace", "remove"):
            raise PatchError(f"unknown operation {name}")
        if name != "add" and tokens[-1] not in parent:
            raise PatchError(f"nothing at {path}")
        if name == "remove":
            del parent[tokens[-1]]
        elif "value" in operation:
            parent[tokens[-1]] = operation["value"]
        else:
            raise PatchError(f"{name} without a value")


def is_bounded(document: Any, depth: int = 0) -> bool:
    """True while a document is no larger, and nested no deeper, than any that a gateway sends."""
    return size_of(document, depth) <= DOCUMENT_SIZE_MAX


def size_of(value: Any, depth: int = 0) -> float:
    if isinstance(value, str):
        return len(value)
    if not isinstance(value, (dict, list)):
        return 8
    if depth > NESTING_MAX:
        return float("inf")
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return 8 + sum(len(str(name)) + size_of(item, depth + 1) for name, item in items)


def best_levels(side: Dict[str, str], count: int, highest: bool) -> List[str]:
    """The best prices of a side, best first: the highest bids, the lowest asks. Prices may be negative."""
    pick = heapq.nlargest if highest else heapq.nsmallest
    return pick(count, side, key=Decimal)


def checksum(book: Dict[str, Dict[str, str]]) -> int:
    """As in Kraken's WebSocket API v2: CRC-32 of the ten best asks, then bids; price, then quantity, each without its
    dot and without leading zeros."""
    texts = []
    for side, highest in (("asks", False), ("bids", True)):
        for price in best_levels(book[side], CHECKSUM_LEVELS, highest):
            texts += [price, book[side][price]]
    return zlib.crc32("".join(text.replace(".", "").lstrip("0") for text in texts).encode())


class Documents:
    """What one client holds. Feed it every frame in the order of arrival; it does no I/O and knows no clock."""

    def __init__(self) -> None:
        self.quotes: Dict[str, Frame] = {}
        self.depth: Dict[str, Dict[str, Dict[str, str]]] = {}
        self.orderbook: Dict[str, Frame] = {}
        # Where each topic stands; absent before its first frame and while its chain is broken.
        self.positions: Dict[str, Position] = {}
        # State topics that the gateway holds back, and why. Their documents are right, but old.
        self.stale: Dict[str, str] = {}
        # State topics whose deltas are ignored until a snapshot comes.
        self.broken: Set[str] = set()

    def document(self, topic: str) -> Any:
        """The document of a state topic; None while there is none."""
        stream, _, symbol = topic.partition(":")
        return {"quotes": self.quotes, "depth": self.depth, "orderbook": self.orderbook}.get(stream, {}).get(symbol)

    def is_current(self, topic: str) -> bool:
        """True when the document is what the gateway holds, and the gateway misses nothing of the publisher's."""
        return topic in self.positions and topic not in self.stale

    def feed(self, frame: Frame) -> List[Event]:
        """Takes one frame; says what it did. Raises ProtocolError for one that lacks what its type must have."""
        try:
            return self._feed(frame)
        except (KeyError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
            raise ProtocolError(f"malformed {frame.get('type')}: {error!r}") from error

    def _feed(self, frame: Frame) -> List[Event]:
        kind = frame["type"]
        if kind == "quotes_patch":
            return self._quotes_snapshot(frame) if frame.get("snapshot") is True else self._quotes_delta(frame)
        if kind == "depth_patch":
            return self._depth(frame)
        if kind == "orderbook_update":
            return self._orderbook(frame)
        if kind == "trade_executed":
            return self._message(f"trades:{frame['symbol']}", frame)
        if kind == "order_update":
            return self._message(f"orders:{frame['user_id']}", frame)
        if kind == "room_message":
            return self._message(f"rooms:{frame['room']}", frame)
        if kind == "gap":
            return self._gap(frame)
        if kind == "stale":
            self.stale[frame["topic"]] = frame["reason"]
            return [Event("stale", frame["topic"], frame, frame["reason"])]
        if kind == "heartbeat":
            return self._heartbeat(frame)
        if kind == "subscribed":
            return self._subscribed(frame)
        if kind == "unsubscribed":
            for topic in frame["topics"]:
                self.forget(topic)
        elif isinstance(frame.get("channel"), str):
            # Analytics are known by their channel: each channel has a type of its own.
            return self._message(f"analytics:{frame['channel']}", frame)
        return [Event("control", "", frame)]

    def forget(self, topic: str) -> None:
        """The topic is left. `trades:*` is left with the chains of all symbols."""
        stream, _, symbol = topic.partition(":")
        left = [held for held in self.positions if held.startswith(f"{stream}:")] if symbol == "*" else [topic]
        for held in left:
            self.positions.pop(held, None)
        self._discard(topic)
        self.stale.pop(topic, None)
        self.broken.discard(topic)

    def reconnecting(self, resumed: Set[str]) -> None:
        """Another connection takes over. Documents stay as they are, but take no delta before their next snapshot; of
        the event topics, those that are `resumed` continue their chains."""
        for topic in list(self.positions):
            if is_state(topic):
                self._lose(topic)
            elif topic not in resumed:
                del self.positions[topic]

    def _quotes_snapshot(self, frame: Frame) -> List[Event]:
        seqs: Dict[str, int] = frame["seqs"]
        topics = [f"quotes:{symbol}" for symbol in seqs]
        # A symbol is replaced whole: whatever the snapshot does not add again no longer exists.
        for symbol in seqs:
            self.quotes.pop(symbol, None)
        try:
            self._patch_quotes(frame["operations"], seqs)
        except PatchError as error:
            return [event for topic in topics for event in self._break(topic, frame, str(error), discard=True)]
        events = []
        for topic, seq in zip(topics, seqs.values()):
            events += self._snapshot(topic, Position(frame["epoch"], seq), frame)
        return events

    def _quotes_delta(self, frame: Frame) -> List[Event]:
        topic = f"quotes:{frame['symbol']}"
        refused = self._refuse(topic, frame)
        if refused is not None:
            return refused
        try:
            self._patch_quotes(frame["operations"], (frame["symbol"],))
        except PatchError as error:
            return self._break(topic, frame, str(error), discard=True)
        self.positions[topic] = position_of(frame)
        return [Event("delta", topic, frame)]

    def _patch_quotes(self, operations: Iterable[Frame], symbols: Iterable[str]) -> None:
        def is_own(tokens: List[str]) -> bool:
            return len(tokens) > 1 and tokens[0] == "quotes" and tokens[1] in symbols

        apply_patch({"quotes": self.quotes}, operations, is_own)
        for symbol in symbols:
            quote = self.quotes.get(symbol, {})
            if not isinstance(quote, dict) or not is_bounded(quote):
                raise PatchError(f"what is left of {symbol} is no quote")

    def _depth(self, frame: Frame) -> List[Event]:
        symbol = frame["symbol"]
        topic = f"depth:{symbol}"
        is_snapshot = frame.get("snapshot") is True
        refused = None if is_snapshot else self._refuse(topic, frame)
        if refused is not None:
            return refused
        if is_snapshot or symbol not in self.depth:
            self.depth[symbol] = {"bids": {}, "asks": {}}
        book = self.depth[symbol]
        try:
            apply_patch(book, frame["operations"], lambda tokens: tokens[0] in ("bids", "asks") and len(tokens) <= 2)
            if not is_book(book) or not is_bounded(book):
                raise PatchError("what is left is no book")
        except PatchError as error:
            return self._break(topic, frame, str(error), discard=True)
        own = checksum(book)
        if own != frame["checksum"]:
            return self._break(topic, frame, f"checksum {own}, not {frame['checksum']}", discard=True)
        if is_snapshot:
            return self._snapshot(topic, position_of(frame), frame)
        self.positions[topic] = position_of(frame)
        return [Event("delta", topic, frame)]

    def _orderbook(self, frame: Frame) -> List[Event]:
        """Always whole: it is taken even where something before it is missing."""
        topic = f"orderbook:{frame['symbol']}"
        held = self.positions.get(topic)
        self.orderbook[frame["symbol"]] = frame
        if frame.get("snapshot") is True:
            return self._snapshot(topic, position_of(frame), frame)
        self.positions[topic] = position_of(frame)
        self.broken.discard(topic)
        missing = [] if follows(frame, held) else [Event("broken", topic, frame, f"{held} is held")]
        return missing + [Event("delta", topic, frame)]

    def _message(self, topic: str, frame: Frame) -> List[Event]:
        held = self.positions.get(topic)
        self.positions[topic] = position_of(frame)
        is_next = held is None or follows(frame, held)
        missing = [] if is_next else [Event("broken", topic, frame, f"{held} is held")]
        return missing + [Event("message", topic, frame)]

    def _gap(self, frame: Frame) -> List[Event]:
        topic = frame["topic"]
        held = self.positions.get(topic)
        epoch = frame.get("epoch", held.epoch if held else "")
        is_hole = held is not None and held.epoch == epoch and frame["from"] > held.seq + 1
        missing = [Event("broken", topic, frame, f"{held} is held")] if is_hole else []
        self.positions[topic] = Position(epoch, frame["to"])
        return missing + [Event("gap", topic, frame, frame["reason"])]

    def _heartbeat(self, frame: Frame) -> List[Event]:
        """Tells where a silent topic stands: who stands elsewhere has lost the last frames."""
        topic = frame["topic"]
        if frame.get("stale") is True:
            if topic in self.stale:
                return [Event("control", topic, frame)]
            self.stale[topic] = "heartbeat"
            return [Event("stale", topic, frame, "heartbeat")]
        if topic in self.stale:
            return self._break(topic, frame, "the snapshot that ends `stale` is missing")
        held, told = self.positions.get(topic), position_of(frame)
        if held == told:
            return [Event("proven", topic, frame)]
        if held is None and topic not in self.broken:
            return [Event("control", topic, frame)]
        if is_state(topic):
            # Also where it is broken already: the answer to `resync` did not come.
            return self._break(topic, frame, f"{held} is held")
        self.positions[topic] = told
        return [Event("broken", topic, frame, f"{held} is held")]

    def _subscribed(self, frame: Frame) -> List[Event]:
        """Event topics begin at `positions`, or after what is held where the resume succeeded."""
        events = [Event("control", "", frame)]
        for topic in frame["topics"]:
            if is_state(topic):
                continue
            if frame.get("recovered") is True:
                events.append(Event("recovered", topic, frame))
                continue
            if frame.get("recovered") is False:
                self.positions.pop(topic, None)
                events.append(Event("unrecovered", topic, frame))
            position = frame.get("positions", {}).get(topic)
            if position is not None:
                self.positions[topic] = position_of(position)
        return events

    def _snapshot(self, topic: str, position: Position, frame: Frame) -> List[Event]:
        self.positions[topic] = position
        self.broken.discard(topic)
        was_stale = self.stale.pop(topic, None) is not None
        return [Event("snapshot", topic, frame)] + ([Event("whole", topic, frame)] if was_stale else [])

    def _refuse(self, topic: str, frame: Frame) -> Optional[List[Event]]:
        """None when the delta may be applied."""
        if topic in self.broken:
            return []
        held = self.positions.get(topic)
        return None if follows(frame, held) else self._break(topic, frame, f"{held} is held")

    def _break(self, topic: str, frame: Frame, detail: str, discard: bool = False) -> List[Event]:
        self._lose(topic)
        if discard:
            self._discard(topic)
        return [Event("broken", topic, frame, detail)]

    def _lose(self, topic: str) -> None:
        self.positions.pop(topic, None)
        self.broken.add(topic)

    def _discard(self, topic: str) -> None:
        """What is held is not old, but wrong."""
        stream, _, symbol = topic.partition(":")
        {"quotes": self.quotes, "depth": self.depth, "orderbook": self.orderbook}.get(stream, {}).pop(symbol, None)


def is_book(book: Frame) -> bool:
    sides = [book.get("bids"), book.get("asks")]
    return all(isinstance(side, dict) and all(isinstance(text, str) for text in side.values()) for side in sides)


def is_state(topic: str) -> bool:
    return topic.partition(":")[0] in STATE_STREAMS


def position_of(frame: Frame) -> Position:
    epoch, seq = frame["epoch"], frame["seq"]
    if not isinstance(epoch, str) or type(seq) is not int:
        raise ProtocolError(f"no position: {epoch!r}, {seq!r}")
    return Position(epoch, seq)


def follows(frame: Frame, held: Optional[Position]) -> bool:
    return held is not None and held == (frame["epoch"], frame["prev_seq"])


# --- The connection -------------------------------------------------------------------------------------------------


class Client:
    """One connection after another. Iterate over `events()`; whoever reads slowly is sent conflated state topics, so no
    queue grows here. `token` may be a function: it is called for each connection and before the credential expires."""

    def __init__(
        self,
        url: str,
        token: Union[str, Callable[[], str], None] = None,
        api_key: Optional[str] = None,
        format: str = "json",
        rate_class: Optional[str] = None,
        timestamps: bool = False,
        depth: int = 10,
    ) -> None:
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query), format=format)
        if rate_class is not None:
            query["class"] = rate_class
        if timestamps:
            query["timestamps"] = "1"
        path = parts.path if parts.path not in ("", "/") else "/ws"
        self._url = urlunsplit((parts.scheme, parts.netloc, path, urlencode(query), ""))
        self._token, self._api_key, self._depth = token, api_key, depth
        self._socket: Any = None
        self._closed = asyncio.Event()
        self._topics: Dict[str, None] = {}
        # Topics that this connection is subscribed to, and those that one was: both as the gateway names them.
        self._live: Set[str] = set()
        self._known: Set[str] = set()
        self._retries = 0
        self._retry: Optional["asyncio.Task[None]"] = None
        self._going_away_s: Optional[float] = None
        self.documents = Documents()

    async def subscribe(self, *topics: str) -> None:
        """`quotes:AAPL`, `trades:*`, `analytics:alerts`, `rooms:desk-7`; `orders` for your own. At any time."""
        added = [topic for topic in topics if topic not in self._topics]
        self._topics.update(dict.fromkeys(added))
        for command in self._commands("subscribe", added):
            await self._send(command)

    async def unsubscribe(self, *topics: str) -> None:
        left = [topic for topic in topics if self._topics.pop(topic, self) is not self]
        for command in self._commands("unsubscribe", left):
            await self._send(command)

    async def publish(self, room: str, data: Any, id: str) -> None:
        """Says something in a room. The `ack` or `error` with this `id` arrives as a `control` event."""
        await self._send({"action": "publish", "stream": "rooms", "room": room, "data": data, "id": id})

    async def close(self) -> None:
        self._closed.set()
        if self._socket is not None:
            await self._socket.close()

    async def events(self) -> AsyncIterator[Event]:
        """Everything that happens, until `close`. Raises TerminalError when there is no point in coming back."""
        import websockets

        attempt, has_been_open = 0, False
        while not self._closed.is_set():
            opened_at, retry_after_s, self._going_away_s = None, None, None
            try:
                async with websockets.connect(self._url, **self._options(websockets)) as socket:
                    self._socket, opened_at = socket, time.monotonic()
                    self._live, self._retries = set(), 0
                    resumable = self._resumable() if has_been_open else {}
                    self.documents.reconnecting(set(resumable.values()))
                    yield Event("open", detail="again" if has_been_open else "")
                    for topic in self._topics if has_been_open else ():
                        if not is_state(topic) and topic not in resumable:
                            yield Event("unrecovered", topic)
                    has_been_open = True
                    for command in self._commands("subscribe", list(self._topics), resumable):
                        await self._send(command)
                    async for message in socket:
                        for frame in decode(message):
                            for event in self.documents.feed(frame):
                                await self._react(event)
                                yield event
            except websockets.ConnectionClosed:
                pass  # Its code is looked at below.
            except (OSError, asyncio.TimeoutError) as error:
                yield Event("closed", detail=f"{error!r}")
            except websockets.InvalidHandshake as error:
                retry_after_s = self._refusal(error)
                yield Event("closed", detail=f"refused: {error}")
            code = self._socket.close_code if self._socket is not None else None
            self._socket = None
            if self._retry is not None:
                self._retry.cancel()
                self._retry = None
            if code is not None:
                yield Event("closed", detail=str(code))
                if 4500 <= code <= 4999:
                    raise TerminalError(f"closed with {code}")
            if self._closed.is_set():
                return
            is_stable = opened_at is not None and time.monotonic() - opened_at >= STABLE_AFTER_S
            attempt = 0 if is_stable else attempt + 1
            # Full jitter: clients that lost the same gateway do not come back together.
            wait_s = random.uniform(0, min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2 ** min(attempt, 10)))
            await self._pause(max(wait_s, retry_after_s or 0.0, self._going_away_s or 0.0))

    def _headers(self) -> Dict[str, str]:
        headers = {}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token() if callable(self._token) else self._token}"
        if self._api_key is not None:
            headers["X-API-Key"] = self._api_key
        return headers

    def _options(self, websockets: Any) -> Dict[str, Any]:
        # websockets 14 renamed it.
        is_current = int(websockets.__version__.split(".")[0]) >= 14
        return {
            "additional_headers" if is_current else "extra_headers": self._headers(),
            "max_size": FRAME_BYTES_MAX,
            "ping_interval": PING_INTERVAL_S,
            "ping_timeout": PING_INTERVAL_S,
            "open_timeout": OPEN_TIMEOUT_S,
        }

    def _refusal(self, error: Exception) -> float:
        """Seconds that the gateway asks to wait; raises where waiting does not help."""
        response = getattr(error, "response", error)
        status, headers = getattr(response, "status_code", None), getattr(response, "headers", {})
        # A fresh token may be accepted.
        if status in HOPELESS_STATUSES and not (status == 401 and callable(self._token)):
            raise TerminalError(f"the gateway answers {status}{self._reason()}") from error
        retry_after = str(headers.get("Retry-After", ""))
        return float(retry_after) if retry_after.isdigit() else 0.0

    def _reason(self) -> str:
        """Why an upgrade is refused: the answer says it in its body, which older versions of websockets do not read."""
        parts = urlsplit(self._url)
        kind = http.client.HTTPSConnection if parts.scheme == "wss" else http.client.HTTPConnection
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        key = {"Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode()}
        connection = kind(parts.hostname or "", parts.port, timeout=OPEN_TIMEOUT_S)
        try:
            connection.request("GET", f"{parts.path}?{parts.query}", headers={**self._headers(), **upgrade, **key})
            return f": {json.loads(connection.getresponse().read(REASON_BYTES_MAX))['error']['message']}"
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
            return ""
        finally:
            connection.close()

    def _resumable(self) -> Dict[str, str]:
        """Event topics that can continue where they stand: as subscribed, and as the gateway names them."""
        positions = self.documents.positions
        resumable = {topic: topic for topic in self._topics if topic in positions and not is_state(topic)}
        if "orders" in self._topics:
            resumable.update({"orders": topic for topic in positions if topic.startswith("orders:")})
        return resumable

    def _commands(self, action: str, topics: List[str], since: Dict[str, str] = {}) -> List[Frame]:
        """State topics of a stream share a command. Each event topic has its own, with its own `since`."""
        commands: List[Frame] = []
        shared: Dict[str, Frame] = {}
        for topic in topics:
            stream, _, name = topic.partition(":")
            command: Frame = {"action": action, "stream": stream}
            if stream in STATE_STREAMS:
                if stream not in shared:
                    shared[stream] = {**command, **({"depth": self._depth} if stream == "depth" else {}), "symbols": []}
                    commands.append(shared[stream])
                shared[stream]["symbols"].append(name)
                continue
            if name not in ("", "*"):
                command["symbols"] = [name]
            if topic in since:
                command["since"] = self.documents.positions[since[topic]]._asdict()
            commands.append(command)
        return commands

    async def _react(self, event: Event) -> None:
        frame = event.frame
        if event.kind == "broken" and event.topic in self.documents.broken:
            stream, _, symbol = event.topic.partition(":")
            await self._send({"action": "resync", "stream": stream, "symbol": symbol})
        elif frame.get("type") == "going_away":
            self._going_away_s = float(frame["reconnect_after_ms"]) / 1000
        elif frame.get("type") == "warning" and frame.get("code") == "token_expiring" and callable(self._token):
            await self._send({"action": "auth", "token": self._token()})

        elif frame.get("type") == "subscribed":
            self._live.update(frame["topics"])
            self._known.update(frame["topics"])
            self._retries = 0
        elif frame.get("type") == "unsubscribed":
            self._live.difference_update(frame["topics"])
        elif frame.get("type") == "error" and "id" not in frame and self._retry is None:
            if self._missing(frame["code"]):
                self._retry = asyncio.create_task(self._subscribe_again(frame))

    def _missing(self, code: str) -> List[str]:
        """Topics to subscribe again after an error. A gateway that was restarted may not know a symbol before its next
        message; a symbol that never existed is not asked for again."""

        def is_in(topic: str, names: Set[str]) -> bool:
            if topic == "orders":
                return any(name.startswith("orders:") for name in names)
            return ("trades:*" if topic == "trades" else topic) in names

        missing = [topic for topic in self._topics if not is_in(topic, self._live)]
        if code == "invalid_symbol":
            return [topic for topic in missing if is_in(topic, self._known)]
        return missing if code in MOMENTARY_CODES else []

    async def _subscribe_again(self, error: Frame) -> None:
        wait_s = random.uniform(0, min(RETRY_MAX_S, RETRY_FIRST_S * 2 ** min(self._retries, 10)))
        self._retries += 1
        await asyncio.sleep(max(wait_s, float(error.get("retry_after_ms", 0)) / 1000))
        self._retry = None
        for command in self._commands("subscribe", self._missing(error["code"]), self._resumable()):
            await self._send(command)

    async def _send(self, command: Frame) -> None:
        """JSON, on a MessagePack connection too. While disconnected, nothing: the next connection subscribes."""
        if self._socket is not None:
            await self._socket.send(encode(command))

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._closed.wait(), seconds)
        except asyncio.TimeoutError:
            pass


# --- The command line -----------------------------------------------------------------------------------------------


def printable(text: str) -> str:
    """One line without control, format and separator characters: text from outside must not steer the terminal."""
    return "".join("?" if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") else c for c in text)


def describe(event: Event) -> str:
    """One line for a person, not yet printable. What must not be overlooked begins with `!!`."""
    frame, kind = event.frame, event.kind
    if kind == "delta" and "operations" in frame:
        changes = (f"{o['op']} {o['path']} {o.get('value', '')}".rstrip() for o in frame["operations"])
        return f"{event.topic} {frame['seq']}: " + "; ".join(changes)
    if kind in ("snapshot", "delta", "message", "control"):
        return f"{kind} {event.topic} {encode(frame)}"
    if kind == "gap" and event.detail == "new_epoch":
        return f"!! GAP {event.topic}: sequences begin again; whether anything was lost is unknown (new_epoch)"
    if kind == "gap":
        return f"!! GAP {event.topic}: {frame['from']} to {frame['to']} are lost ({event.detail})"
    if kind in ("stale", "broken", "unrecovered", "closed"):
        return f"!! {kind.upper()} {event.topic} {event.detail}".rstrip()
    return f"-- {kind.upper()} {event.topic} {event.detail}".rstrip()


async def follow(options: argparse.Namespace) -> None:
    names = ("url", "token", "api_key", "format", "rate_class", "timestamps", "depth")
    client = Client(**{name: getattr(options, name) for name in names})
    await client.subscribe(*options.topics)
    async for event in client.events():
        if not options.json:
            if event.kind != "proven":
                print(printable(describe(event)), flush=True)
            continue
        documents = client.documents
        told = {"kind": event.kind, "topic": event.topic, "detail": event.detail, "frame": event.frame}
        if is_state(event.topic):
            current = {"document": documents.document(event.topic), "is_current": documents.is_current(event.topic)}
            told.update(current)
        print(encode(told), flush=True)


def check_case(case: Frame, format: str) -> List[str]:
    """What is wrong after a vector's frames in one format; nothing when they lead to what the vector expects."""
    documents, wrong, events = Documents(), [], []
    for message in case["frames"][format]:
        for frame in decode(message["text"] if format == "json" else bytes.fromhex(message["hex"])):
            events += documents.feed(frame)
    expected = case["expected"]
    for topic, document in expected.get("documents", {}).items():
        held = documents.document(topic)
        if not is_same(document, held):
            wrong.append(f"{topic} is {encode(held)}, not {encode(document)}")
    for topic, number in expected.get("checksums", {}).items():
        if checksum(documents.document(topic)) != number:
            wrong.append(f"{topic} has the checksum {checksum(documents.document(topic))}, not {number}")
    positions = {topic: position._asdict() for topic, position in documents.positions.items()}
    if positions != expected["positions"]:
        wrong.append(f"stands at {positions}, not {expected['positions']}")
    if sorted(documents.stale) != sorted(expected.get("stale", [])):
        wrong.append(f"{sorted(documents.stale)} are stale, not {expected.get('stale', [])}")
    told = [event.frame for event in events if event.kind in ("message", "gap", "stale")]
    if not is_same(expected.get("told", []), told):
        wrong.append(f"is told {encode(told)}, not {encode(expected.get('told', []))}")
    return wrong + [f"{e.topic} is broken: {e.detail}" for e in events if e.kind == "broken"]


def is_same(expected: Any, held: Any) -> bool:
    """By value, exactly. A whole number must be an `int`; a MessagePack float stands for its shortest digits; a number
    that neither holds is text in MessagePack."""
    if isinstance(expected, dict):
        is_alike = isinstance(held, dict) and expected.keys() == held.keys()
        return is_alike and all(is_same(value, held[name]) for name, value in expected.items())
    if isinstance(expected, list):
        is_alike = isinstance(held, list) and len(expected) == len(held)
        return is_alike and all(map(is_same, expected, held))
    if isinstance(expected, (bool, str)) or expected is None:
        return type(expected) is type(held) and expected == held
    if isinstance(held, (bool, dict, list)) or held is None:
        return False
    if isinstance(held, str):
        is_int64 = isinstance(expected, int) and -(2**63) <= expected < 2**64
        return not is_int64 and Decimal(held) == expected
    number = Decimal(repr(held)) if isinstance(held, float) else Decimal(held)
    return number == expected and isinstance(held, int) >= isinstance(expected, int)


def check_vectors(folder: str) -> int:
    """Checks this client against the protocol's vectors (`millrace vectors`): the exit code."""
    cases, failed = 0, 0
    for file in sorted(pathlib.Path(folder).glob("*.json")):
        for case in json.loads(file.read_text("utf-8"), parse_float=Decimal)["cases"]:
            cases += 1
            wrong = []
            for format in case["frames"]:
                try:
                    wrong += [f"{format}: {reason}" for reason in check_case(case, format)]
                except (ProtocolError, KeyError, ValueError) as error:
                    wrong.append(f"{format}: {error!r}")
            failed += bool(wrong)
            for reason in wrong:
                print(f"{file.name}: {case['name']}: {reason}")
    print(f"{cases} vectors, {cases - failed} passed")
    return 1 if failed or cases == 0 else 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Follows topics of a Millrace gateway.")
    topics = "quotes:AAPL depth:BTC/USDT orderbook:BTC/USDT trades:* orders analytics:alerts rooms:desk-7"
    parser.add_argument("topics", nargs="*", help=topics)
    parser.add_argument("--url", default="ws://127.0.0.1:8080")
    parser.add_argument("--token")
    parser.add_argument("--api-key")
    parser.add_argument("--format", choices=("json", "msgpack"), default="json")
    parser.add_argument("--class", dest="rate_class", choices=("realtime", "16ms", "100ms", "1000ms"))
    parser.add_argument("--depth", type=int, choices=(10, 25, 100), default=10, help="levels of a book's side")
    parser.add_argument("--timestamps", action="store_true", help="ask for ts_event and ts_sent")
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each event, with its document")
    parser.add_argument("--vectors", metavar="FOLDER", help="check this client against the protocol's vectors instead")
    options = parser.parse_args()
    if options.vectors is not None:
        return check_vectors(options.vectors)
    if not options.topics:
        parser.error("name a topic")
    try:
        asyncio.run(follow(options))
    except TerminalError as error:
        print(printable(f"!! {error}"), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
