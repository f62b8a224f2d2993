"""A client on Python's websockets: it holds what it is sent the way any application would, and reports that as lines of JSON."""
import asyncio
import json
import sys

import msgpack
import websockets

request = json.loads(sys.argv[1])
is_msgpack = request["format"] == "msgpack"
held = {"quotes": {}, "books": {}, "trades": [], "answers": [], "places": {}, "deltas": 0, "broken": []}


def report(value):
    print(json.dumps(value), flush=True)


def step(topic, frame):
    """A delta follows what is held."""
    if held["places"].get(topic) != frame["prev_seq"]:
        held["broken"].append(f"{topic}: {frame['prev_seq']} after {held['places'].get(topic)}")
    held["places"][topic] = frame["seq"]
    held["deltas"] += 1


def patch(document, operations):
    """RFC 6902, as far as the protocol uses it."""
    for operation in operations:
        names = [name.replace("~1", "/").replace("~0", "~") for name in operation["path"].split("/")[1:]]
        parent = document
        for name in names[:-1]:
            parent = parent[name]
        if operation["op"] == "remove":
            del parent[names[-1]]
        else:
            parent[names[-1]] = operation["value"]


def hold(frame):
    kind = frame["type"]
    if kind == "quotes_patch":
        if frame.get("snapshot"):
            for symbol, seq in frame["seqs"].items():
                held["places"][f"quotes:{symbol}"] = seq
        else:
            step(f"quotes:{frame['symbol']}", frame)
        patch({"quotes": held["quotes"]}, frame["operations"])
    elif kind == "depth_patch":
        topic = f"depth:{frame['symbol']}"
        if not frame.get("snapshot"):
            step(topic, frame)
        held["places"][topic] = frame["seq"]
        patch(held["books"].setdefault(frame["symbol"], {}), frame["operations"])
    elif kind == "trade_executed":
        held["trades"].append(frame["trade_id"])
    elif kind != "heartbeat":
        held["answers"].append(kind)


async def main():
    options = {"subprotocols": request["protocols"] or None, "ping_interval": 0.5, "ping_timeout": 2}
    async with websockets.connect(request["url"], **options) as socket:
        extensions = ", ".join(extension.name for extension in socket.extensions)
        report({"event": "open", "protocol": socket.subprotocol or "", "extensions": extensions})
        for command in request["commands"]:
            await socket.send(msgpack.packb(command) if is_msgpack else json.dumps(command))
        try:
            async for message in socket:
                if isinstance(message, bytes) != is_msgpack:
                    held["broken"].append("a binary frame" if isinstance(message, bytes) else "a text frame")
                hold(msgpack.unpackb(message) if is_msgpack else json.loads(message))
                report({"event": "held", "held": held})
        except websockets.ConnectionClosed:
            pass  # Its code is reported below.
        report({"event": "closed", "code": socket.close_code, "reason": socket.close_reason})


asyncio.run(main())
