/**
 * What an attacker sends, described in a few words so that it can travel to its process: a megabyte of brackets is one
 * line there.
 */
import { clientFrame } from '../load/load-socket.js';

const TEXT = 1;
const BINARY = 2;
const PING = 9;
/** MessagePack's headers: a row of arrays of one element is a nest. */
const FIXARRAY_OF_ONE = 0x91;
const FIXMAP_OF_TWO = Buffer.from([0x82]);
const ARRAY_32 = Buffer.from([0xdd]);
const NIL = 0xc0;

export type Payload =
  /**
   * As it is, but for what a connection fills in: `{n}` the number of the message, `{epoch}` and `{since}` a position
   * so many messages behind the one that its first subscription was answered with.
   */
  | { readonly kind: 'text'; readonly text: string }
  /** A command with so many names, `<prefix>0` and up. */
  | {
      readonly kind: 'names';
      readonly command: Readonly<Record<string, unknown>>;
      readonly member: 'symbols' | 'rooms';
      readonly prefix: string;
      readonly count: number;
    }
  /** `head`, `fill` as often as there is room in `bytes`, `tail`. */
  | {
      readonly kind: 'filled';
      readonly head: string;
      readonly fill: string;
      readonly tail: string;
      readonly bytes: number;
    }
  /** MessagePack: arrays, one in another; or a ping with an array of so many elements. */
  | { readonly kind: 'msgpack'; readonly shape: 'nested' | 'wide'; readonly bytes: number }
  /** So many frames at once: messages of one byte that is no command, or WebSocket's own pings. */
  | { readonly kind: 'flood'; readonly of: 'messages' | 'pings'; readonly count: number };

/** What a connection knows that a message may hold. */
interface Blanks {
  readonly n: number;
  readonly epoch: string;
  readonly since: number;
}

/** A message that is ready to be sent: its frame, header and mask included. */
export type PreparedFrame = (blanks: Blanks) => Uint8Array;

/** Large messages are encoded once, and small ones each time they are sent. */
export function prepare(payload: Payload): PreparedFrame {
  if (payload.kind === 'text' && /\{(n|epoch|since)\}/.test(payload.text)) {
    return blanks => clientFrame(TEXT, Buffer.from(filledIn(payload.text, blanks)));
  }
  const frame =
    payload.kind === 'flood'
      ? flood(payload)
      : clientFrame(payload.kind === 'msgpack' ? BINARY : TEXT, bytesOf(payload));
  return () => frame;
}

/** The bytes of a message without its frame. */
export function bytesOf(payload: Exclude<Payload, { kind: 'flood' }>): Buffer {
  if (payload.kind === 'text') return Buffer.from(payload.text);
  if (payload.kind === 'msgpack') return payload.shape === 'nested' ? nested(payload.bytes) : wide(payload.bytes);
  if (payload.kind === 'names') {
    const { command, member, prefix, count } = payload;
    const names = Array.from({ length: count }, (_, i) => `${prefix}${i}`);
    return Buffer.from(JSON.stringify({ ...command, [member]: names }));
  }
  const { head, fill, tail, bytes } = payload;
  const missing = Math.max(0, bytes - Buffer.byteLength(head) - Buffer.byteLength(tail));
  return Buffer.from(`${head}${fill.repeat(Math.floor(missing / fill.length))}${tail}`);
}

function flood({ of, count }: Extract<Payload, { kind: 'flood' }>): Buffer {
  const frame = of === 'pings' ? clientFrame(PING, new Uint8Array(0)) : clientFrame(TEXT, Buffer.from('1'));
  return Buffer.concat(Array.from({ length: count }, () => frame));
}

function filledIn(text: string, { n, epoch, since }: Blanks): string {
  return text.replaceAll('{n}', String(n)).replaceAll('{epoch}', epoch).replaceAll('{since}', String(since));
}

function nested(bytes: number): Buffer {
  const payload = Buffer.alloc(bytes, FIXARRAY_OF_ONE);
  payload[bytes - 1] = NIL;
  return payload;
}

function wide(bytes: number): Buffer {
  const head = Buffer.concat([FIXMAP_OF_TWO, fixstr('action'), fixstr('ping'), fixstr('x'), ARRAY_32, Buffer.alloc(4)]);
  head.writeUInt32BE(bytes - head.length, head.length - 4);
  return Buffer.concat([head, Buffer.alloc(bytes - head.length, NIL)]);
}

/** Text of at most 31 bytes. */
function fixstr(text: string): Buffer {
  return Buffer.concat([Buffer.from([0xa0 | text.length]), Buffer.from(text)]);
}
