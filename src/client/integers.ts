/**
 * Numbers of a frame as the application sees them. JSON and MessagePack libraries return different types for one number
 * (a `number`, a `bigint`, an exact one). Here the protocol's own counts become numbers, and whole numbers in content
 * follow the option `integers`.
 */
import { ExactNumber } from '../protocol/exact-number.js';
import type { ServerFrame } from './outcome.js';

export const INTEGERS = ['auto', 'number', 'bigint', 'string'] as const;
/** The type of whole numbers in content: see the option `integers`. */
export type Integers = (typeof INTEGERS)[number];

/** Frames whose content is in their operations. All their other members are the protocol's. */
const STATE_TYPES: ReadonlySet<unknown> = new Set(['quotes_patch', 'depth_patch', 'orderbook_update']);
/** Frames that carry a publisher's message. Those of analytics are recognized by their channel. */
const EVENT_TYPES: ReadonlySet<unknown> = new Set(['trade_executed', 'order_update', 'room_message']);
/** Members of an event that are the protocol's: small numbers, and times that fit a double. */
const COUNTS: ReadonlySet<string> = new Set(['seq', 'prev_seq', 'ts_event', 'ts_sent']);

type Convert = (value: unknown) => unknown;

export class IntegerReader {
  /** False: frames with plain numbers only are already right. */
  readonly changesNumbers: boolean;
  readonly #ofContent: Convert;

  constructor(integers: Integers) {
    this.changesNumbers = integers === 'bigint' || integers === 'string';
    this.#ofContent = CONVERSIONS[integers];
  }

  /** Works in place: the frame belongs to this client. */
  apply(frame: ServerFrame): void {
    const isState = STATE_TYPES.has(frame.type);
    const isEvent = !isState && (EVENT_TYPES.has(frame.type) || typeof frame.channel === 'string');
    const members = frame as Record<string, unknown>;
    for (const name of Object.keys(members)) {
      const isContent = isState ? name === 'operations' : isEvent && !COUNTS.has(name);
      const value = members[name];
      const converted = convert(value, isContent ? this.#ofContent : CONVERSIONS.number);
      if (converted !== value) members[name] = converted;
    }
  }
}

const CONVERSIONS: Readonly<Record<Integers, Convert>> = {
  auto: value => (typeof value === 'bigint' ? narrowed(value) : value),
  number: value => (typeof value === 'bigint' ? Number(value) : value),
  bigint: value => (typeof value === 'number' && Number.isInteger(value) ? BigInt(value) : value),
  string: value => {
    if (typeof value === 'bigint') return String(value);
    return typeof value === 'number' && Number.isInteger(value) ? String(BigInt(value)) : value;
  },
};

function narrowed(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function convert(value: unknown, ofNumber: Convert): unknown {
  if (typeof value !== 'object' || value === null) return ofNumber(value);
  // A decimal that a double would alter.
  if (value instanceof ExactNumber) return value.text;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const item: unknown = value[i];
      const converted = convert(item, ofNumber);
      if (converted !== item) value[i] = converted;
    }
  } else if (!ArrayBuffer.isView(value)) {
    const members = value as Record<string, unknown>;
    for (const name of Object.keys(members)) {
      const member = members[name];
      const converted = convert(member, ofNumber);
      if (converted !== member) members[name] = converted;
    }
  }
  return value;
}

const INT64_MIN = -(2n ** 63n);
const UINT64_MAX = 2n ** 64n - 1n;

/** The value as MessagePack can carry it: a whole number beyond 64 bits becomes text. Copies only what changes. */
export function packable(value: unknown): unknown {
  if (typeof value === 'bigint') return value >= INT64_MIN && value <= UINT64_MAX ? value : String(value);
  if (Array.isArray(value)) {
    const items = value.map(packable);
    return items.some((item, i) => item !== value[i]) ? items : value;
  }
  if (Object.prototype.toString.call(value) !== '[object Object]') return value;
  const members = Object.entries(value as object);
  const packed = members.map(([name, member]) => [name, packable(member)] as const);
  return packed.some(([, member], i) => member !== members[i]?.[1]) ? Object.fromEntries(packed) : value;
}
