"""Random histories of a publisher, and readers that must hold exactly its state or have been told.

    histories.py '{"nats": "nats://…", "url": "ws://…/ws?token=…", "seed": 7, "steps": 200, "symbols": ["H1", "H2"]}'

A history has whole messages, changes, messages that are refused, messages that are missing (holes in `Seq`) and restarts (`Seq`
1 again under the same `Epoch`) of quotes, books and trades, with every number in a random form. It prints one line: {"ok": true,
…} or {"ok": false, "wrong": […]}, with the documents that there are in the end.
"""
import asyncio
import json
import random
import sys
from decimal import Decimal

import wire  # Also puts the reference client into the path.
from millrace import encode
from model import Model
from publisher import INTEGERS
from reader import Reader, answered, connect, pump, settled, subscribe
from wire import BOM, Nats, Raw, Wide, to_json, to_msgpack

SETTLE_S = 15
WRONG_MAX = 5
DEPTH = 25
ACTIONS = {"whole": 4, "change": 12, "refused": 2, "missing": 1, "restarted": 1}
TEXTS = ["", "naïve ✓", "𝄞", '"\\', "1E-7", "null"]


class History:
    """What one publisher sends, decided by its seed alone."""

    def __init__(self, seed, symbols, actions):
        self.random = random.Random(seed)
        self.subjects = [f"md.{kind}.{symbol}" for symbol in symbols for kind in ("quotes", "books", "trades")]
        self.seqs = dict.fromkeys(self.subjects, 0)
        self.actions = actions
        self.counts = dict.fromkeys(ACTIONS, 0)
        self._trades = 0

    def next(self):
        """The subject, the payload and the headers of the next message."""
        rng = self.random
        subject = rng.choice(self.subjects)
        (action,) = rng.choices(list(self.actions), list(self.actions.values()))
        return self.message(subject, action)

    def message(self, subject, action):
        rng = self.random
        # At its first or second message, a publisher that restarts repeats itself, for all that anybody can see.
        if action == "restarted" and self.seqs[subject] < 2:
            action = "change"
        self.counts[action] += 1
        if action == "missing":
            self.seqs[subject] += rng.randint(1, 3)
        self.seqs[subject] = 1 if action == "restarted" else self.seqs[subject] + 1
        headers = {"Seq": str(self.seqs[subject]), "Epoch": "p1"}
        _, kind, symbol = subject.split(".", 2)
        if action == "refused":
            return subject, self._bad(kind, symbol), headers
        is_whole = action == "whole" or (action == "restarted" and rng.random() < 0.5)
        value = {"quotes": self._quote, "books": self._book, "trades": self._trade}[kind](symbol, is_whole)
        return subject, self._payload(value), headers

    def _payload(self, value):
        form = self.random.choice(("json", "bom", "msgpack", "msgpack"))
        if form == "msgpack":
            try:
                return to_msgpack(value)
            except TypeError:
                pass  # A number that MessagePack has no type for.
        payload = to_json(value).encode()
        return BOM + payload if form == "bom" else payload

    def _decimal(self, is_positive=False):
        rng = self.random
        digits = rng.choice((rng.randint(0, 20), rng.randint(0, 10**6), rng.randint(0, 10**18), rng.randint(0, 10**30)))
        value = Decimal(digits).scaleb(-rng.randint(0, 12))
        return value if is_positive or rng.random() < 0.8 else -value

    def _written(self, value):
        """The value in one of the forms in which amounts are written."""
        rng = self.random
        plain = format(value, "f")
        forms = [str(value), plain, f"{value:E}", f"{value:e}", str(value.normalize()), Raw(str(value)), Raw(plain), Raw(f"{value:e}")]
        if value >= 0:
            forms += [f"+{plain}", f"+{value:E}"]
        if plain.startswith("0."):
            forms.append(plain[1:])
        if "." not in plain:
            forms += [f"{plain}.", f"{plain}.00", int(value)]
        if Decimal(repr(float(value))) == value:
            forms.append(float(value))
        if value == 0:
            forms += ["-0", "0E-8", "0e9", 0, -0.0]
        return rng.choice(forms)

    def _amount(self, is_positive=False):
        return self._written(self._decimal(is_positive))

    def _own(self, depth=0):
        rng = self.random
        choices = [lambda: rng.choice(TEXTS), lambda: rng.choice(INTEGERS), lambda: Wide(rng.randint(0, 2**64 - 1)), lambda: None, lambda: rng.random() < 0.5]
        choices += [lambda: rng.uniform(-1, 1), self._amount]
        if depth < 2:
            choices += [lambda: [self._own(depth + 1) for _ in range(rng.randint(0, 3))]]
            choices += [lambda: {f"m{i}": self._own(depth + 1) for i in range(rng.randint(0, 3))}]
        return rng.choice(choices)()

    def _quote(self, symbol, is_whole):
        rng = self.random
        quote = {"symbol": symbol}
        names = ["current_price", "base_price", "change", "change_percent", "bid", "ask", "volume"]
        for name in rng.sample(names, rng.randint(1, len(names) if is_whole else 3)):
            quote[name] = rng.choice((None, "")) if rng.random() < 0.1 else self._amount(name == "volume")
        if rng.random() < 0.4:
            quote[f"own{rng.randint(0, 3)}/~"] = self._own()
        if not is_whole:
            quote["partial"] = True
        return quote

    def _book(self, symbol, is_whole):
        rng = self.random
        sides = {}
        for side, base in (("bids", 100), ("asks", 101)):
            levels = []
            for _ in range(rng.randint(0, 30 if is_whole else 4)):
                # Prices from a few, so that levels change and are deleted; some are negative.
                price = Decimal(base) + Decimal(rng.randint(-40, 40)) / 4 - (200 if rng.random() < 0.1 else 0)
                quantity = Decimal(0) if rng.random() < (0.05 if is_whole else 0.4) else self._decimal(True)
                levels.append([self._written(price), self._written(quantity)])
            sides[side] = levels
        return {"symbol": symbol, **sides, **({"snapshot": True} if is_whole else {})}

    def _trade(self, symbol, _is_whole):
        self._trades += 1
        rng = self.random
        identity = rng.choice((self._trades, str(self._trades), 2**53 + self._trades, 2**63 + self._trades))
        return {"symbol": symbol, "trade_id": identity, "price": self._amount(), "quantity": self._amount(True), "own": self._own()}

    def _bad(self, kind, symbol):
        """What has to be refused."""
        rng = self.random
        anywhere = [b"{", b"[]", b"\x01", b'{"symbol":"\xe9"}', b'{"symbol":"\\ud83d"}', to_json({"symbol": "another"}).encode()]
        amount = rng.choice(["  ", "0x10", "0b11", " 5\n", "abc", "1,5", "--1", "1e", ".", "NaN", "Infinity", "1" * 65, True, {}, []])
        if kind == "quotes":
            values = [{"bid": amount}, {"bid": amount, "partial": True}, {}, {"bid": 1, "partial": 1}, {"bid": 1, "partial": "true"}]
        elif kind == "books":
            bids = [[[amount, "1"]], [["1", amount]], [["1", "-1"]], [["1"]], "1", [[None, "1"]], [["1", ""]]]
            values = [{"bids": rng.choice(bids), "asks": [], **({"snapshot": True} if rng.random() < 0.5 else {})}]
            values += [{"bids": [], "snapshot": 1}, {"bids": [], "snapshot": "true"}, {}]
        else:
            good = {"trade_id": 1, "price": "1", "quantity": "1"}
            values = [{**good, "price": amount}, {**good, "quantity": amount}, {**good, "quantity": "-1"}, {"price": "1", "quantity": "1"}]
        if rng.random() < 0.3:
            return rng.choice(anywhere)
        return self._payload({"symbol": symbol, **rng.choice(values)})


async def run(request):
    history = History(request["seed"], request["symbols"], request.get("actions", ACTIONS))
    model = Model()
    nats = Nats(request["nats"])
    readers = []

    async def join(format, streams, more=""):
        topics = [f"{stream}:{symbol}" for symbol in request["symbols"] for stream in streams]
        reader = Reader(format, topics, DEPTH)
        socket = await connect(request["url"] + more, format)
        await subscribe(socket, topics, DEPTH)
        await answered(socket, reader, topics)
        readers.append((f"{format}{more}", reader, socket, asyncio.ensure_future(pump(socket, reader))))

    def publish(message):
        subject, payload, headers = message
        nats.put(subject, payload, headers)
        model.publish(subject, payload, headers)

    everything = ("quotes", "orderbook", "depth", "trades")
    await join("json", everything)
    await join("msgpack", everything)
    await join("msgpack", ("quotes", "depth"), "&class=100ms")
    for step in range(request["steps"]):
        publish(history.next())
        if step % 10 == 9:
            # Other tasks run, and now and then everything arrives before more is sent.
            await asyncio.sleep(history.random.choice((0, 0, 0.01, 0.05)))
        if step == request["steps"] // 2:
            # Events before they came are not theirs.
            for format in ("json", "msgpack"):
                await join(format, ("quotes", "orderbook", "depth"))
    for subject in history.subjects:
        if history.random.random() < 0.5:
            publish(history.message(subject, "whole"))
    nats.flush()
    wrong = []
    left = await asyncio.gather(*(settled(reader, model, SETTLE_S) for _, reader, _, _ in readers))
    for (name, _, socket, pumping), faults in zip(readers, left):
        wrong += [f"{name}: {fault}"[:1500] for fault in faults]
        pumping.cancel()
        await socket.close()
    nats.close()
    told = sum(kind == "stale" for _, reader, _, _ in readers for kind in reader.kinds)
    counts = {**history.counts, "stale": told, "frames": sum(len(log) for _, reader, _, _ in readers for log in reader.log.values())}
    # What the first reader holds in the end has been compared with the publisher's state: others may be compared with it.
    held = readers[0][1].documents
    documents = {topic: held.document(topic) for topic in readers[0][1].topics if held.document(topic) is not None}
    verdict = {"ok": not wrong, "wrong": wrong[:WRONG_MAX], "counts": counts, "documents": documents, "stale": sorted(held.stale)}
    print(encode(verdict), flush=True)


if __name__ == "__main__":
    asyncio.run(run(json.loads(sys.argv[1])))
