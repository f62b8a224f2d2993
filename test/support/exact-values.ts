/** Frames decoded exactly, and documents compared so, whatever format they came in. */

import { decimalOf } from '../../src/protocol/amount.js';
import { parseExact, stringifyExact } from '../../src/protocol/exact-json.js';
import { ExactNumber } from '../../src/protocol/exact-number.js';
import { MsgpackReader } from '../../src/protocol/msgpack-reader.js';

const INTEGER_BITS = 64;

/** The frames of one WebSocket message; analytics come as an array of them. */
export function exactFrames(message: string | Uint8Array): Record<string, unknown>[] {
  const value =
    typeof message === 'string' ? asHeld(parseExact(message)) : new MsgpackReader().read(message, 0, message.length);
  return (Array.isArray(value) ? value : [value]) as Record<string, unknown>[];
}

/** As MessagePack has it: what neither an integer of 64 bits nor a double holds is text, written plainly. */
export function asHeld(value: unknown): unknown {
  if (value instanceof ExactNumber) return decimalOf(value) ?? value.text;
  if (typeof value === 'bigint') return is64Bit(value) ? value : String(value);
  if (Array.isArray(value)) return value.map(asHeld);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, asHeld(member)]));
}

function is64Bit(value: bigint): boolean {
  return BigInt.asIntN(INTEGER_BITS, value) === value || BigInt.asUintN(INTEGER_BITS, value) === value;
}

/** The same text for the same document: the order of members means nothing. */
export function documentText(document: unknown): string {
  return stringifyExact(sorted(document)) ?? 'nothing';
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(members.map(([name, member]) => [name, sorted(member)]));
}
