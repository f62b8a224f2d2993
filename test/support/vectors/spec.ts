/** How a vector is asked for: what is published, and what a client that follows it has subscribed. */
import { Packr } from 'msgpackr';

export interface PublishedMessage {
  readonly subject: string;
  readonly payload: Uint8Array;
  /** `Seq`, `Epoch`, `Ts-Event`. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface VectorSpec {
  /** Begins with the case of data.md that it belongs to, or the requirement. */
  readonly name: string;
  /** What the client subscribes, before anything is published. */
  readonly topics: readonly string[];
  readonly published: readonly PublishedMessage[];
  /** Levels of `depth`; 10 when left out. */
  readonly depth?: number;
  /** `timestamps=1`. */
  readonly isStamped?: boolean;
  /** The client comes when everything was published. */
  readonly isNewcomer?: boolean;
  /** In the end a heartbeat interval passes. */
  readonly hasHeartbeats?: boolean;
}

/** The publisher's numbering of one subject. */
interface Numbering {
  readonly seq: number;
  readonly epoch?: string;
  readonly tsEvent?: string;
}

const packr = new Packr({ useRecords: false });

export function message(subject: string, payload: string | Uint8Array, numbering?: Numbering): PublishedMessage {
  const headers: Record<string, string> = {};
  if (numbering !== undefined) {
    headers.Seq = String(numbering.seq);
    headers.Epoch = numbering.epoch ?? 'p1';
    if (numbering.tsEvent !== undefined) headers['Ts-Event'] = numbering.tsEvent;
  }
  return { subject, payload: typeof payload === 'string' ? Buffer.from(payload) : payload, headers };
}

/** Messages of one subject, numbered from 1. */
export const inOrder = (subject: string, payloads: readonly (string | Uint8Array)[]): PublishedMessage[] =>
  payloads.map((payload, at) => message(subject, payload, { seq: at + 1 }));

/** MessagePack of a value that JavaScript can hold. */
export const packed = (value: unknown): Uint8Array => packr.pack(value);

/** MessagePack of a map whose last member's value is given by its bytes. */
export function packedWith(members: Readonly<Record<string, unknown>>, name: string, valueHex: string): Uint8Array {
  const count = Object.keys(members).length + 1;
  const texts = Object.entries(members).flatMap(([key, value]) => [packed(key), packed(value)]);
  return Buffer.concat([Buffer.from([0x80 | count]), ...texts, packed(name), Buffer.from(valueHex, 'hex')]);
}

/** JSON text with the digits of a number as they are. */
export const withDigits = (value: object, digits: string): string => JSON.stringify(value).replaceAll('"#"', digits);
