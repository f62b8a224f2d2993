"""What a publisher's messages mean, worked out from their bytes alone and without any of Millrace's own code: for every
state topic the document after each message, or that it cannot be known; for every event topic what is to arrive."""
import re
from dataclasses import dataclass, field
from datetime import datetime, timezone
from decimal import Decimal

from wire import BOM, Malformed, Time, read_json, read_msgpack

AMOUNT_DIGITS_MAX = 64
AMOUNT_EXPONENT_MAX = 64
QUOTE_PRICES = ("current_price", "base_price", "change", "change_percent", "bid", "ask")
TRADE_PARTIES = ("buyer_id", "seller_id", "buyer_fee", "seller_fee")
CHANNEL_TYPES = {
    "routing-metrics": "routing-decision",
    "lp-performance": "lp-metrics",
    "exposure-updates": "exposure-update",
    "alerts": "alert",
}
ORDER_ACTIONS = ("created", "replaced", "filled", "partially_filled", "cancelled", "rejected")
RESERVED = ("type", "epoch", "seq", "prev_seq", "ts_event", "ts_sent")
OWN_RESERVED = {"trades": (), "orders": ("user_id",), "analytics": ("channel",), "rooms": ("room", "from")}
PLAIN = re.compile(r"-?[0-9]+(\.[0-9]+)?")
AMOUNT = re.compile(r"[+-]?([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+))?")


class Refused(Exception):
    """The message counts as lost."""


class Amount:
    """Text that stands for an amount: as it came where that is plain, else as Python's decimals are written out."""

    def __init__(self, text):
        self.value = Decimal(text)
        is_plain = PLAIN.fullmatch(text) is not None
        self.text = text if is_plain and not (text.startswith("-") and self.value == 0) else written_out(self.value)

    def __repr__(self):
        return f"Amount({self.text})"


def written_out(value):
    """No exponent, no plus, a digit on both sides of the dot, zeros at the end kept; zero has no sign."""
    return format(abs(value) if value == 0 else value, "f")


class Figure:
    """A number that stands for an amount: a number of its value, or text in plain form where no type holds it."""

    def __init__(self, number):
        self.number = number
        self.value = exact(number)

    def __repr__(self):
        return f"Figure({self.number})"


def exact(number):
    """A float stands for its shortest digits."""
    return Decimal(repr(number)) if isinstance(number, float) else Decimal(number)


class Written:
    """A number that is written out as text: in any plain form of its value."""

    def __init__(self, value):
        self.value = value

    def __repr__(self):
        return f"Written({self.value})"


class Instant:
    """A time; its text may have any number of decimals that does not lose any."""

    def __init__(self, nanos):
        self.nanos = nanos

    def __repr__(self):
        return f"Instant({self.nanos})"


def amount_of(value):
    """An Amount, a number or None: as a client gets it."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        raise Refused("no amount")
    if isinstance(value, (int, float, Decimal)):
        return Figure(value)
    if not isinstance(value, str):
        raise Refused("no amount")
    match = AMOUNT.fullmatch(value)
    if match is None:
        raise Refused("no amount")
    digits = (match[1] or "") + (match[2] or "")
    if not 0 < len(digits) <= AMOUNT_DIGITS_MAX:
        raise Refused("no amount")
    if digits.strip("0") and abs(int(match[3] or 0)) > AMOUNT_EXPONENT_MAX:
        raise Refused("no amount")
    # However far its exponent goes, zero is zero.
    return Amount("0" if abs(int(match[3] or 0)) > AMOUNT_EXPONENT_MAX else value)


def quantity_of(value):
    amount = amount_of(value)
    if amount is not None and amount.value < 0:
        raise Refused("a negative quantity")
    return amount


def instant_of(value):
    """Text in RFC 3339, or a number since 1970 whose size says its unit."""
    if isinstance(value, Time):
        return Instant(value.nanos)
    if isinstance(value, str):
        nanos = nanos_of_text(value)
        if nanos is None:
            raise Refused("no time")
        return value if value.endswith("Z") and "T" in value else Instant(nanos)
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise Refused("no time")
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    for minimum, factor in ((10**18, 1), (10**15, 10**3), (10**12, 10**6), (10**9, 10**9)):
        if number >= minimum:
            return Instant(int(number * factor))
    raise Refused("no time")


def nanos_of_text(text):
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)", text)
    if match is None:
        return None
    zone = "+00:00" if match[3] == "Z" else match[3]
    try:
        whole = datetime.fromisoformat(match[1] + zone).astimezone(timezone.utc)
    except ValueError:
        return None
    return int(whole.timestamp()) * 10**9 + int((match[2] or "0")[:9].ljust(9, "0"))


def carried(value):
    """Any value of a publisher's own."""
    if isinstance(value, Time):
        return Instant(value.nanos)
    if isinstance(value, dict):
        return {checked(name): carried(item) for name, item in value.items()}
    return [carried(item) for item in value] if isinstance(value, list) else value


def checked(name):
    """The one name that JavaScript's objects cannot have as a member like any other."""
    if name == "__proto__":
        raise Refused("a name that clients cannot hold")
    return name


def agrees(expected, held):
    """Exactly, by value and by type: text is not a number, and a whole number is an integer."""
    if isinstance(expected, Amount):
        return isinstance(held, str) and held == expected.text
    if isinstance(expected, Figure):
        is_plain = not isinstance(held, str) or PLAIN.fullmatch(held) is not None
        return is_plain and same_number(expected.number, held)
    if isinstance(expected, Written):
        return isinstance(held, str) and PLAIN.fullmatch(held) is not None and Decimal(held) == expected.value
    if isinstance(expected, Instant):
        return isinstance(held, str) and held.endswith("Z") and nanos_of_text(held) == expected.nanos
    if isinstance(expected, dict):
        is_alike = isinstance(held, dict) and expected.keys() == held.keys()
        return is_alike and all(agrees(value, held[name]) for name, value in expected.items())
    if isinstance(expected, list):
        return isinstance(held, list) and len(expected) == len(held) and all(map(agrees, expected, held))
    if isinstance(expected, (bool, str)) or expected is None:
        return type(expected) is type(held) and expected == held
    return same_number(expected, held)


def same_number(expected, held):
    value = exact(expected)
    is_64 = value == value.to_integral_value() and -(2**63) <= value < 2**64
    if isinstance(held, str):
        # Only what neither an integer type nor a float of MessagePack holds.
        is_double = Decimal(repr(float(value))) == value
        return PLAIN.match(held) is not None and Decimal(held) == value and not (is_64 or (is_double and not isinstance(expected, int)))
    if isinstance(held, bool) or not isinstance(held, (int, float, Decimal)):
        return False
    if isinstance(held, float) and is_64:
        return False
    return exact(held) == value


def decode(payload):
    if payload.startswith(BOM):
        payload = payload[len(BOM) :]
    first = payload[:1]
    try:
        if first and (first[0] & 0xF0 == 0x80 or first[0] in (0xDE, 0xDF)):
            value = read_msgpack(payload, is_strict=False)
        else:
            value = read_json(payload.decode())
    except (Malformed, ValueError) as error:
        raise Refused("cannot be read") from error
    if not isinstance(value, dict):
        raise Refused("not an object")
    return value


@dataclass
class State:
    """Of one subject."""

    # The document as it is now; None where it cannot be known. And the last one that could.
    document: object = None
    known: object = None
    # The document by count of the numbering's restarts and sequence.
    after: dict = field(default_factory=dict)
    published: int = 0
    run: int = 0
    epoch: str = ""
    seq: int = 0
    # Of events: what each sequence brings; None: it is lost.
    messages: dict = field(default_factory=dict)


class Model:
    """Takes what was published, in order. Subjects are independent of each other."""

    def __init__(self):
        self.subjects = {}

    def subject(self, name):
        return self.subjects.setdefault(name, State())

    def publish(self, subject, payload, headers):
        """Returns False when the message is refused."""
        state = self.subject(subject)
        seq = int(headers["Seq"]) if "Seq" in headers else state.seq + 1
        epoch = headers.get("Epoch", "")
        is_restart = state.published > 0 and (epoch != state.epoch or (seq == 1 and state.seq > 1))
        if not is_restart and seq <= state.seq:
            return True  # A copy of what came before.
        is_lossy = is_restart or seq != state.seq + 1
        state.epoch = epoch
        if is_restart:
            state.run += 1
        elif is_lossy and state.published > 0:
            for lost in range(state.seq + 1, seq):
                state.messages[state.run, lost] = None
        if is_lossy:
            state.document = None
        state.published += 1
        state.seq = seq
        kind, _, name = subject.removeprefix("md.").partition(".")
        try:
            value = decode(payload)
            if kind in ("quotes", "books"):
                state.document = (quote_after if kind == "quotes" else book_after)(state.document, value, name)
            else:
                state.messages[state.run, seq] = event_of(kind, value, name)
            is_good = True
        except Refused:
            state.document = None
            state.messages[state.run, seq] = None
            is_good = False
        state.after[state.run, seq] = state.document
        state.known = state.known if state.document is None else state.document
        return is_good


def flag(value, name):
    given = value.get(name)
    if given is not None and not isinstance(given, bool):
        raise Refused(f"{name} is no boolean")
    return given is True


def quote_after(quote, value, symbol):
    """The quote after the message; None where a change finds nothing to change."""
    if value.get("symbol") != symbol:
        raise Refused("another symbol")
    members = {}
    for name, member in value.items():
        if name == "partial":
            continue
        if name in QUOTE_PRICES:
            members[name] = amount_of(member)
        elif name == "volume":
            members[name] = quantity_of(member)
        elif name == "last_updated":
            members[name] = None if member is None or member == "" else instant_of(member)
        else:
            members[checked(name)] = carried(member)
    if len(members) < 2:
        raise Refused("nothing but a symbol")
    if not flag(value, "partial"):
        return members
    return None if quote is None else {**quote, **members}


def book_after(book, value, symbol):
    """Both sides by value of the price; each level as (price, quantity), both amounts."""
    if value.get("symbol") != symbol:
        raise Refused("another symbol")
    is_whole = flag(value, "snapshot")
    sides = {side: levels_of(value.get(side)) for side in ("bids", "asks")}
    if not is_whole and value.get("bids") is None and value.get("asks") is None:
        raise Refused("no levels")
    timestamp = value.get("timestamp")
    instant = None if timestamp in (None, "") else instant_of(timestamp)
    if not is_whole and book is None:
        return None
    after = {"bids": {}, "asks": {}} if is_whole else {side: dict(book[side]) for side in ("bids", "asks")}
    for side, levels in sides.items():
        for price, quantity in levels:
            if quantity.value == 0:
                after[side].pop(price.value, None)
            else:
                after[side][price.value] = (price, quantity)
    return {**after, "timestamp": instant}


def levels_of(levels):
    if levels is None:
        return []
    if not isinstance(levels, list):
        raise Refused("no levels")
    parsed = []
    for level in levels:
        if not isinstance(level, list) or len(level) < 2:
            raise Refused("no level")
        price, quantity = amount_of(level[0]), quantity_of(level[1])
        if price is None or quantity is None:
            raise Refused("no level")
        parsed.append((price, quantity))
    return parsed


def best(book, side, count):
    prices = sorted(book[side], reverse=side == "bids")[:count]
    return [book[side][price] for price in prices]


def agrees_depth(book, held, depth):
    """The best levels of both sides, however their prices are written."""
    for side in ("bids", "asks"):
        levels = {price.value: (price, quantity) for price, quantity in best(book, side, depth)}
        own = {Decimal(price): (price, quantity) for price, quantity in held[side].items()}
        if levels.keys() != own.keys() or len(own) != len(held[side]):
            return False
        for price, level in levels.items():
            if not all(agrees(as_text(mine), theirs) for mine, theirs in zip(level, own[price])):
                return False
    return True


def as_text(amount):
    """In books, numbers are written out."""
    return amount if isinstance(amount, Amount) else Written(amount.value)


def agrees_best(book, held):
    (bid,), (ask,) = (best(book, side, 1) or [None] for side in ("bids", "asks"))
    expected = {
        "best_bid": bid and as_text(bid[0]),
        "bid_quantity": bid and as_text(bid[1]),
        "best_ask": ask and as_text(ask[0]),
        "ask_quantity": ask and as_text(ask[1]),
    }
    if book["timestamp"] is not None:
        expected["timestamp"] = book["timestamp"]
    if not all(agrees(value, held[name]) for name, value in expected.items()):
        return False
    if bid is None or ask is None:
        return held["spread"] is None
    return Decimal(held["spread"]) == ask[0].value - bid[0].value


def event_of(kind, value, name):
    """The members of the client's message besides its chain."""
    if kind == "trades" and value.get("symbol") != name:
        raise Refused("another symbol")
    if kind == "orders" and value.get("user_id", name) != name:
        raise Refused("another user")
    check_event(kind, value)
    owner = {"trades": "symbol", "orders": "user_id", "analytics": "channel", "rooms": "room"}[kind]
    own_type = {"trades": "trade_executed", "orders": "order_update", "rooms": "room_message"}.get(kind) or CHANNEL_TYPES[name]
    message = {"type": own_type, owner: name}
    if kind == "rooms":
        message["from"] = value["from"] if isinstance(value["from"], str) else ""
    for member, item in value.items():
        if member in RESERVED or member in OWN_RESERVED[kind]:
            if item != message.get(member, object):
                message[source_name(member, value)] = carried(item)
        elif kind == "trades" and member in TRADE_PARTIES:
            continue
        elif member in ("price", "quantity", "filled_quantity") and kind in ("trades", "orders"):
            message[member] = (amount_of if member == "price" else quantity_of)(item)
        elif member == ("executed_at" if kind == "trades" else "timestamp"):
            message[member] = None if item is None or item == "" else instant_of(item)
        else:
            message[checked(member)] = carried(item)
    return message


def check_event(kind, value):
    if kind == "trades":
        is_whole = value.get("trade_id") is not None
        is_whole = is_whole and amount_of(value.get("price")) is not None and quantity_of(value.get("quantity")) is not None
    elif kind == "orders":
        is_whole = value.get("action") in ORDER_ACTIONS and value.get("order_id") is not None
    else:
        is_whole = "data" in value and (kind == "analytics" or "from" in value)
    if not is_whole:
        raise Refused("a member is missing")


def source_name(member, value):
    name = f"source_{member}"
    while name in value:
        name = f"source_{name}"
    return name


def agrees_event(expected, frame):
    """The frame has these members, its chain and its times, and nothing else."""
    chain = ("epoch", "prev_seq", "seq", "ts_event", "ts_sent")
    return agrees(expected, {name: value for name, value in frame.items() if name not in chain})
