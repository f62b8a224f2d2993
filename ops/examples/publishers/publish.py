#!/usr/bin/env python3
"""A publisher in Python, with its standard library alone: the NATS text protocol over a socket, payloads as JSON.

NATS_URL (nats://host:port, no password) and SYMBOL from the environment.
"""

import json
import os
import socket
import time
import uuid
from urllib.parse import urlparse

TIMEOUT_S = 5


class NatsError(Exception):
    """What the server said is wrong."""


class Publisher:
    """One connection. Numbers the messages of each subject, so that a gateway notices a lost one."""

    def __init__(self, url: str) -> None:
        address = urlparse(url)
        self._socket = socket.create_connection((address.hostname, address.port or 4222), TIMEOUT_S)
        self._lines = self._socket.makefile("rb")
        self._epoch = uuid.uuid4().hex[:12]
        self._seqs: dict[str, int] = {}
        info = self._lines.readline()
        if not info.startswith(b"INFO "):
            raise NatsError(f"no NATS server at {url}")
        options = {"verbose": False, "pedantic": False, "headers": True, "lang": "python", "version": "1"}
        self._send(b"CONNECT " + json.dumps(options).encode() + b"\r\n")

    def publish(self, subject: str, message: dict, numbered: bool = True) -> None:
        """Sends one message with the headers Ts-Event, Seq and Epoch (HPUB)."""
        headers = f"NATS/1.0\r\nTs-Event: {time.time_ns() // 1000}\r\n"
        if numbered:
            self._seqs[subject] = self._seqs.get(subject, 0) + 1
            headers += f"Seq: {self._seqs[subject]}\r\nEpoch: {self._epoch}\r\n"
        head = (headers + "\r\n").encode()
        payload = json.dumps(message).encode()
        sizes = b"%d %d" % (len(head), len(head) + len(payload))
        self._send(b"HPUB %s %s\r\n" % (subject.encode(), sizes) + head + payload + b"\r\n")

    def publish_plain(self, subject: str, message: dict) -> None:
        """Sends one message without headers (PUB); the gateway gives it its time and its number."""
        payload = json.dumps(message).encode()
        self._send(b"PUB %s %d\r\n" % (subject.encode(), len(payload)) + payload + b"\r\n")

    def flush(self) -> None:
        """Returns once the server has everything sent so far. Raises NatsError when it refused something."""
        self._send(b"PING\r\n")
        while True:
            line = self._lines.readline()
            if line.startswith(b"PONG"):
                return
            if line.startswith(b"PING"):
                self._send(b"PONG\r\n")
            elif line.startswith(b"-ERR"):
                raise NatsError(line.decode().strip())
            elif not line:
                raise NatsError("the server closed the connection")

    def close(self) -> None:
        self._lines.close()
        self._socket.close()

    def _send(self, frame: bytes) -> None:
        self._socket.sendall(frame)


def main() -> None:
    symbol = os.environ.get("SYMBOL", "ACME")
    publisher = Publisher(os.environ.get("NATS_URL", "nats://127.0.0.1:4222"))
    publisher.publish(
        f"md.quotes.{symbol}",
        {"symbol": symbol, "current_price": 10.5, "bid": 10.49, "ask": 10.51, "volume": 1200},
    )
    publisher.publish(f"md.quotes.{symbol}", {"symbol": symbol, "volume": 1250, "partial": True})
    publisher.publish(
        f"md.books.{symbol}",
        {"symbol": symbol, "bids": [["10.49", "300"]], "asks": [["10.51", "200"]], "snapshot": True},
    )
    publisher.publish(
        f"md.books.{symbol}",
        {"symbol": symbol, "bids": [["10.48", "150"]], "asks": [["10.51", "0"], ["10.52", "75"]]},
    )
    publisher.publish_plain(
        f"md.trades.{symbol}",
        {
            "symbol": symbol,
            # Beyond 2^53: json.dumps writes an int of any size, and clients get all its digits.
            "trade_id": 8389766145050670869,
            "price": "10.51",
            "quantity": "50",
            "buyer_id": "alice",
            "seller_id": "bob",
        },
    )
    publisher.publish(
        "orders.alice",
        {
            "action": "filled",
            "order_id": "A-1",
            "symbol": symbol,
            "side": "buy",
            "status": "filled",
            "quantity": "50",
            "filled_quantity": "50",
            "price": "10.51",
        },
    )
    publisher.publish("analytics.alerts", {"type": "alert", "data": {"severity": "info", "text": f"{symbol} is open"}})
    # Clients publish to rooms, too, so no publisher numbers them.
    said = {"room": "desk-7", "from": "alice", "data": {"text": "good morning"}}
    publisher.publish("rooms.desk-7", said, numbered=False)
    publisher.flush()
    publisher.close()


if __name__ == "__main__":
    main()
