"""A reader of one format on a bare WebSocket. It decodes strictly, applies frames with the reference client's documents, and
compares everything it held at any time with what the published bytes mean.

    reader.py '{"url": "ws://…", "format": "msgpack", "topics": ["quotes:A", …], "depth": 100}'

It prints {"ready": true} when it has subscribed. Each line of standard input is what was published, as publisher.py says it,
or {"await": seconds}, answered by {"ok": true} or {"ok": false, "wrong": […]} when everything has come, or in time it has not.
"""
import asyncio
import json
import sys

import wire  # Also puts the reference client into the path.
import websockets
from millrace import Documents
from model import Model, agrees, agrees_best, agrees_depth, agrees_event
from wire import Malformed, read_json, read_msgpack

FRAME_BYTES_MAX = 16 * 1024 * 1024
POLL_S = 0.02
WRONG_MAX = 5
TIMES_FROM, TIMES_TO = 1_600_000_000_000_000, 4_000_000_000_000_000


def frames_in(message, format):
    """The frames of a WebSocket message, decoded strictly."""
    if isinstance(message, bytes) != (format == "msgpack"):
        raise Malformed("a frame of the other format")
    value = read_msgpack(message) if isinstance(message, bytes) else read_json(message)
    return value if isinstance(value, list) else [value]


def subject_of(topic):
    stream, _, name = topic.partition(":")
    kind = {"quotes": "md.quotes", "trades": "md.trades", "orderbook": "md.books", "depth": "md.books"}.get(stream, stream)
    return f"{kind}.{name}"


class Reader:
    """What one client was sent, and whether it is what was published."""

    def __init__(self, format, topics, depth=100, has_times=False):
        self.format, self.topics, self.depth, self.has_times = format, topics, depth, has_times
        self.documents = Documents()
        self.wrong = []
        # What happened, by kind.
        self.kinds = []
        # Of each topic: epoch, sequence and document after each of its state frames; or its events.
        self.log = {topic: [] for topic in topics}

    def take(self, message):
        for frame in frames_in(message, self.format):
            if self.has_times and "seq" in frame and frame["type"] not in ("gap", "heartbeat", "stale"):
                for member in ("ts_event", "ts_sent"):
                    if member in frame and not (type(frame[member]) is int and TIMES_FROM < frame[member] < TIMES_TO):
                        self.wrong.append(f"{member} is {frame[member]!r}")
            if frame["type"] == "error":
                self.wrong.append(f"error {frame}")
            for event in self.documents.feed(frame):
                self._note(event)

    def _note(self, event):
        self.kinds.append(event.kind)
        if event.kind == "broken":
            self.wrong.append(f"{event.topic} is broken: {event.detail}: {str(event.frame)[:300]}")
        if event.topic not in self.log:
            return
        if event.kind in ("snapshot", "delta"):
            position = self.documents.positions[event.topic]
            document = self.documents.document(event.topic)
            copy = {name: dict(side) for name, side in document.items()} if event.topic.startswith("depth:") else dict(document)
            self.log[event.topic].append((position.epoch, position.seq, copy, event.topic in self.documents.stale))
        elif event.kind in ("message", "gap"):
            self.log[event.topic].append((event.kind, event.frame))

    def faults(self, model):
        """What is wrong so far; what is merely missing yet counts, too."""
        wrong = list(self.wrong)
        for topic in self.topics:
            is_state = topic.partition(":")[0] in ("quotes", "orderbook", "depth")
            check = self._state_faults if is_state else self._event_faults
            wrong += [f"{topic}: {reason}" for reason in check(topic, model.subject(subject_of(topic)))]
        return wrong

    def _agrees(self, topic, expected, held):
        if topic.startswith("quotes:"):
            return agrees(expected, held)
        return agrees_depth(expected, held, self.depth) if topic.startswith("depth:") else agrees_best(expected, held)

    def _state_faults(self, topic, state):
        runs = Runs(state)
        for epoch, seq, document, is_stale in self.log[topic]:
            if is_stale:
                continue

            def fits(run):
                expected = state.after.get((run, seq))
                return expected is not None and self._agrees(topic, expected, document)

            run = runs.of(epoch, fits)
            # A newcomer's snapshot of what is held back has the sequence of what was known last.
            if not fits(run):
                yield f"{document} at {seq}, not {state.after.get((run, seq))}"
        if state.published == 0:
            return
        held = self.documents.document(topic)
        if state.document is None:
            if held is not None and topic not in self.documents.stale:
                yield f"{held} is held and it is not told that messages are missing"
            elif held is not None and not self._agrees(topic, state.known, held):
                yield f"{held} is held while it is stale, not {state.known}"
        elif held is None or not self._agrees(topic, state.document, held):
            yield f"{held} is held in the end, not {state.document}"
        elif topic in self.documents.stale:
            yield "it is held to be stale, and is not"

    def _event_faults(self, topic, state):
        runs = Runs(state)
        left = dict(state.messages)
        for kind, frame in self.log[topic]:
            if kind == "gap":
                run = runs.of(frame["epoch"])
                for at in [at for at in left if (at[0] == run and frame["from"] <= at[1] <= frame["to"]) or (frame["reason"] == "new_epoch" and at[0] < run)]:
                    del left[at]
                continue
            at = (runs.of(frame["epoch"]), frame["seq"])
            expected = left.pop(at, "not published, or twice")
            if expected is None or isinstance(expected, str) or not agrees_event(expected, frame):
                yield f"{frame} at {at}, not {expected}"
        if left:
            yield f"{list(left.items())[:3]} of {len(left)} did not come and are in no gap"


class Runs:
    """Which of a publisher's numberings an epoch is: they come in order. A client of documents may not see each."""

    def __init__(self, state):
        self._last_run = state.run
        self._runs = {}

    def of(self, epoch, fits=lambda run: True):
        if epoch not in self._runs:
            first = max(self._runs.values(), default=-1) + 1
            self._runs[epoch] = next(filter(fits, range(first, self._last_run + 1)), first)
        return self._runs[epoch]


async def connect(url, format):
    glue = "&" if "?" in url else "?"
    return await websockets.connect(f"{url}{glue}format={format}", max_size=FRAME_BYTES_MAX, ping_interval=None)


async def subscribe(socket, topics, depth):
    for topic in topics:
        stream, _, name = topic.partition(":")
        command = {"action": "subscribe", "stream": stream, "symbols": [name], "id": topic}
        await socket.send(json.dumps({**command, **({"depth": depth} if stream == "depth" else {})}))


async def answered(socket, reader, topics):
    """Takes frames until every subscription is answered."""
    missing = set(topics)
    while missing:
        message = await asyncio.wait_for(socket.recv(), 20)
        reader.take(message)
        for frame in frames_in(message, reader.format):
            if frame["type"] in ("subscribed", "error"):
                missing.discard(frame.get("id"))


async def pump(socket, reader):
    async for message in socket:
        try:
            reader.take(message)
        except Exception as error:
            reader.wrong.append(f"{error!r}: {message!r}"[:600])


async def settled(reader, model, seconds):
    """The faults that are left once everything has come, or in time it has not."""
    end = asyncio.get_running_loop().time() + seconds
    while True:
        faults = reader.faults(model)
        if not faults or asyncio.get_running_loop().time() > end:
            return faults
        await asyncio.sleep(POLL_S)


async def main():
    request = json.loads(sys.argv[1])
    model = Model()
    reader = Reader(request["format"], request["topics"], request.get("depth", 100), "timestamps=1" in request["url"])
    socket = await connect(request["url"], request["format"])
    await subscribe(socket, request["topics"], reader.depth)
    await answered(socket, reader, request["topics"])
    pumping = asyncio.ensure_future(pump(socket, reader))
    print(json.dumps({"ready": True}), flush=True)
    loop = asyncio.get_running_loop()
    while True:
        line = await loop.run_in_executor(None, sys.stdin.readline)
        if line == "":
            break
        told = json.loads(line)
        if "await" in told:
            wrong = await settled(reader, model, told["await"])
            print(json.dumps({"ok": not wrong, "wrong": wrong[:WRONG_MAX], "messages": sum(map(len, reader.log.values()))}), flush=True)
        else:
            model.publish(told["subject"], bytes.fromhex(told["payload"]), told["headers"])
    pumping.cancel()
    await socket.close()


if __name__ == "__main__":
    asyncio.run(main())
