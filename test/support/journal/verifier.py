"""An independent verifier of a journal's chain and tree, from its description alone: verifier.py FOLDER."""
import glob, gzip, hashlib, json, sys


def root(leaves):
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256().digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\1" + root(leaves[:k]) + root(leaves[k:])).digest()


def opened(path):
    try:
        return open(path, "rb")
    except FileNotFoundError:
        return gzip.open(path + ".gz")


last, leaves, lines, records = bytes(32), [], b"", 0
for path in sorted({path.removesuffix(".gz") for path in glob.glob(sys.argv[1] + "/*.mjl*")}):
    with opened(path) as file:
        for number, line in enumerate(file):
            value = json.loads(line)
            if number == 0:
                assert value["prev"] == last.hex(), f"{path}: does not continue the segment before it"
            elif "block" in value:
                last = hashlib.sha256(last + lines).digest()
                expected = {"block": len(leaves), "records": records, "hash": last.hex()}
                assert value == expected, f"{path} line {number + 1}: {value} is not {expected}"
                leaves.append(hashlib.sha256(b"\0" + lines).digest())
                lines, records = b"", 0
                continue
            else:
                records += 1
            lines += line
print(len(leaves), root(leaves).hex())
