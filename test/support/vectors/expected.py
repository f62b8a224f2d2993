"""What the vectors have to lead to, worked out from the published bytes by Python's decimals, integers and CRC-32.

Standard input: {"<file>": {"about": …, "cases": […]}, …} with what was published and the frames that the gateway's modules made of
it. Standard output: the same files as text, by name, each case with what is expected; or, with exit code 1, what is wrong.
"""
import json
import pathlib
import sys
import zlib
from decimal import Decimal

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "content"))

from model import Model, best
from reader import Reader, subject_of
from wire import Malformed
from millrace import check_case, encode


def expected_of(case):
    """What is wrong with the frames; and what they lead to."""
    wrong = []
    model = Model()
    for message in case["published"]:
        is_good = model.publish(message["subject"], bytes.fromhex(message["payload"]), message["headers"])
        if is_good == (message["refused"] is not None):
            wrong.append(f"{message.get('text', message['payload'])} is refused: {message['refused']}")
    readers = {format: read(case, format) for format in ("json", "msgpack")}
    for format, reader in readers.items():
        wrong += [f"{format}: {fault}" for fault in reader.faults(model)]
    reader = readers["json"]
    documents, checksums = {}, {}
    for topic in case["topics"]:
        document = reader.documents.document(topic)
        if document is not None:
            documents[topic] = document
            if topic.startswith("depth:"):
                checksums[topic] = checksum(model.subject(subject_of(topic)).known, document)
    positions = {topic: position._asdict() for topic, position in sorted(reader.documents.positions.items())}
    told = reader.told
    expected = {"documents": documents, "checksums": checksums, "positions": positions, "stale": sorted(reader.documents.stale), "told": told}
    case = {**case, "expected": {name: value for name, value in expected.items() if value or name == "positions"}}
    for format in case["frames"]:
        wrong += [f"{format}: {reason}" for reason in check_case(case, format)]
    return wrong, case


def read(case, format):
    reader = VectorReader(case, format)
    for message in case["frames"][format]:
        reader.take(message["text"] if format == "json" else bytes.fromhex(message["hex"]))
    return reader


class VectorReader(Reader):
    def __init__(self, case, format):
        topics = case["topics"]
        if "trades:*" in topics:
            topics = sorted({f"trades:{message['subject'].split('.', 2)[2]}" for message in case["published"]})
        if case.get("newcomer"):
            # Events before it came are not its own.
            topics = [topic for topic in topics if topic.partition(":")[0] in ("quotes", "orderbook", "depth")]
        super().__init__(format, topics, case["depth"], has_times=True)
        self.told = []

    def _note(self, event):
        super()._note(event)
        if event.kind in ("message", "gap", "stale"):
            self.told.append(event.frame)


def checksum(book, document):
    """Over the levels in the model's order; their texts are the document's, whose values the reader has compared."""
    texts = []
    for side in ("asks", "bids"):
        held = {Decimal(price): (price, quantity) for price, quantity in document[side].items()}
        for price, _ in best(book, side, 10):
            texts += held[price.value]
    return zlib.crc32("".join(text.replace(".", "").lstrip("0") for text in texts).encode())


def main():
    files = json.load(sys.stdin)
    wrong, texts = [], {}
    for name, file in files.items():
        cases = []
        for case in file["cases"]:
            try:
                faults, case = expected_of(case)
            except (Malformed, KeyError) as error:
                faults = [repr(error)]
            wrong += [f"{name}: {case['name']}: {fault}" for fault in faults]
            cases.append(encode(case))
        joined = ",\n".join(cases)
        texts[name] = f'{{"name":{json.dumps(name)},"about":{json.dumps(file["about"])},"cases":[\n{joined}\n]}}\n'
    if wrong:
        print("\n".join(fault[:1500] for fault in wrong))
        sys.exit(1)
    json.dump(texts, sys.stdout)


if __name__ == "__main__":
    main()
