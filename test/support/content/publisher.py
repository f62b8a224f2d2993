"""A publisher that writes the same content in every form that publishers write it in.

    publisher.py nats://127.0.0.1:4222

Each line of standard input asks for a content: {"content": "D3", "name": "X", "encoding": "json"}, where the name is that of
the symbol, the user and the room. Each message published is a line of output, as `millrace vectors` writes them, and then
comes {"done": true}.
"""
import json
import sys
import time
from decimal import Decimal

from wire import BOM, Float32, Nats, Raw, Time, Wide, to_json, to_msgpack

# str(Decimal), BigDecimal.toString, and what other programs write.
AMOUNT_TEXTS = [
    str(Decimal("0.00000000")),
    str(Decimal("0.0000001")),
    str(Decimal("1.5E+3")),
    str(Decimal(10) ** 30),
    str(Decimal("1E-18").normalize()),
    "1E-7", "1.5E+3", "0E-8", "0E+3", "0e999", "-0", "-0.00", ".5", "-.5", "100.", "+1", "+.5e1", "1e2", "1E+5", "1.E1", "007.10", "150.250", "-37.63",
    "-1E-7", "12345678901234567890.123456789", "1E-30", "1e64", "1e-64", "9" * 64,
]
AMOUNT_NUMBERS = [
    Raw("1E-7"), Raw("1.5E+3"), Raw("0E-8"), Raw("-0"), Raw("-0.0"), Raw("5e-324"), Raw("100.00"), Raw("1e2"), Raw("0.10000000000000000001"), Raw("1E+22"),
    Raw("123456789012345678"), Decimal("0.1"), Decimal("-37.63"), 0, 3, -3, 1.5, 0.1, 5e-324, 2.0, 2**53 + 1, 2**63, 2**64 - 1, -(2**63),
]
ZEROS = ["0", "0E-8", "0.00", "0e5", "-0", "+0", ".0", "0.", 0, 0.0, -0.0, Raw("0E-8"), Raw("-0"), Raw("0.000")]
INTEGERS = [
    8389766145050670869, 8389766145050670870, 2**32, 2**53 - 1, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, 2**63, 2**64 - 1,
    -(2**63), 0, 7, -7, -(2**31), 1767323045123456789,
]
BEYOND = [2**64, -(2**63) - 1, 10**30, 123456789012345678901234567890]
NANOS = 1767323045123456789
MICROS = NANOS // 1000 * 1000
MILLIS = NANOS // 10**6 * 10**6
SECONDS = NANOS // 10**9 * 10**9


def is_positive(form):
    text = form.text if isinstance(form, Raw) else str(form)
    return Decimal(text) >= 0


def trade(name, identity, price="1.50", quantity="2", **more):
    return f"md.trades.{name}", {"symbol": name, "trade_id": identity, "price": price, "quantity": quantity, **more}


def order(name, identity, **more):
    return f"orders.{name}", {"action": "filled", "order_id": identity, "symbol": name, "side": "buy", **more}


def quote(name, **members):
    return f"md.quotes.{name}", {"symbol": name, **members}


def book(name, bids, asks, **more):
    return f"md.books.{name}", {"symbol": name, "bids": bids, "asks": asks, **more}


def d3(name):
    """Amounts in every form, in every place that an amount has."""
    forms = AMOUNT_TEXTS + AMOUNT_NUMBERS
    yield quote(name, current_price="10.10", bid="1", ask="2")
    for form in forms:
        yield quote(name, bid=form, partial=True)
        yield quote(name, current_price=form, change=form, volume=form if is_positive(form) else 1)
    yield book(name, [["1", "1"]], [["9" * 40, "1"]], snapshot=True)
    for at, form in enumerate(forms):
        if is_positive(form):
            yield book(name, [["50.5", form]], [[form, "3"]])
            yield book(name, [["50.5", ZEROS[at % len(ZEROS)]]], [[form, ZEROS[(at + 1) % len(ZEROS)]]])
        else:
            yield book(name, [[form, "2"]], [])
            yield book(name, [[form, ZEROS[at % len(ZEROS)]]], [])
    for at, form in enumerate(forms):
        yield trade(name, f"t{at}", price=form, quantity=form if is_positive(form) else "1")
        yield order(name, f"o{at}", price=form, quantity=form if is_positive(form) else "1")


def d4(name):
    """Whole numbers beyond what a double holds, wherever a publisher can put one."""
    yield quote(name, current_price=1, count=0)
    for at, number in enumerate(INTEGERS + [Wide(5), Wide(2**53 + 1), Wide(-5), Wide(-(2**63))] + BEYOND):
        deep = {"id": number, "list": [number, {"again": number}], "text": str(at)}
        amount = number.value if isinstance(number, Wide) else number
        yield quote(name, volume=number if amount >= 0 else 0, change=number, count=number, own=deep, partial=True)
        yield trade(name, number, venue_time=number, own=deep)
        yield order(name, number, exchange_id=number)
        yield "analytics.alerts", {"type": "alert", "timestamp": "2026-01-02T03:04:05Z", "data": deep, "of": name}
        yield f"rooms.{name}", {"from": "alice", "data": deep, "timestamp": "2026-01-02T03:04:05Z"}


def d5(name):
    """Whole numbers from 2^32 on, floats of whole value, and floats that are none."""
    for at, number in enumerate([2**32, 2**33, 5000000001, 2**53, 2.0, 4294967296.0, 1e15, -1e15, 1.25, -0.5, Float32(0.5), Float32(3.0)]):
        yield quote(name, current_price=number, own={"number": number})
        yield trade(name, f"t{at}", venue=number)
        yield book(name, [["1", "1"]], [["2", str(at + 1)]], snapshot=True)


def d16(name):
    """Times in every form. The book's best level changes each time, so that its time is sent."""
    times = ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.123456Z", NANOS, MICROS // 10**3, MILLIS // 10**6, SECONDS // 10**9]
    times += [Time(SECONDS, 32), Time(NANOS, 64), Time(NANOS, 96), Time(SECONDS, 96)]
    for at, moment in enumerate(times):
        yield quote(name, current_price=at + 1, last_updated=moment)
        yield book(name, [[str(at + 1), "1"]], [["1000", "1"]], snapshot=True, timestamp=moment)
        yield trade(name, f"t{at}", executed_at=moment)
        yield "analytics.alerts", {"type": "alert", "timestamp": moment, "data": {"of": name}}


def r14(name):
    """What passes through as it is."""
    values = ["", " ", "naïve ✓ 𝄞", '"\\/\u2028', "1E-7", None, True, False, [], {}, [[1, ["x"]]], {"a": {"b": [None]}}, 0.1, -1.5e-9]
    yield quote(name, current_price="229.730")
    for at, value in enumerate(values):
        yield quote(name, own=value, partial=True)
        yield trade(name, f"t{at}", own=value)
        yield f"rooms.{name}", {"from": "zoë", "data": value, "timestamp": "2026-01-02T03:04:05.1Z"}


CONTENTS = {"R14": r14, "D3": d3, "D4": d4, "D5": d5, "D16": d16}
# Where a numbering starts: beyond 2^32, for D5.
FIRST_SEQ = {"D5": 5_000_000_001}


def encodings(value, encoding):
    """The payloads that hold the value; none where the encoding has no such form."""
    if encoding == "json":
        try:
            yield to_json(value).encode()
        except TypeError:
            pass
    elif encoding == "json with a byte order mark":
        try:
            yield BOM + to_json(value).encode()
        except TypeError:
            pass
    else:
        try:
            yield to_msgpack(value)
        except TypeError:
            pass


def publish(nats, seqs, content, name, encoding):
    """Everything of the content; yields each message. All are numbered, from where their subject stands in `seqs`."""
    for subject, value in CONTENTS[content](name):
        for payload in encodings(value, encoding):
            first = FIRST_SEQ.get(content, 1) if subject.startswith("md.") else 1
            seqs[subject] = seqs.get(subject, first - 1) + 1
            headers = {"Ts-Event": str(time.time_ns() // 1000), "Seq": str(seqs[subject]), "Epoch": "p1"}
            nats.put(subject, payload, headers)
            yield {"subject": subject, "payload": payload.hex(), "headers": headers}


def main():
    nats = Nats(sys.argv[1])
    seqs = {}
    for line in sys.stdin:
        asked = json.loads(line)
        for message in publish(nats, seqs, asked["content"], asked["name"], asked["encoding"]):
            print(json.dumps(message))
        nats.flush()
        print(json.dumps({"done": True}), flush=True)
    nats.close()


if __name__ == "__main__":
    main()
