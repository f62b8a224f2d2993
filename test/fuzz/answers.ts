/** What came back, held against the published document. */
import { Unpackr } from 'msgpackr';
import { frameValidator } from '../support/frame-validator.js';

/** Frames of one kind that are all checked; of more, one in `SAMPLE`. */
const CHECKED_OF_A_KIND = 200;
const SAMPLE = 50;

/** Close codes that a gateway may send, and those that it only gives back: PROTOCOL.md, and RFC 6455 section 7.4.1. */
const GATEWAY_CODES: ReadonlySet<number> = new Set([
  1000, 1001, 1002, 1007, 1009, 4001, 4008, 4009, 4010, 4029, 4500, 4501, 4503, 4508,
]);

const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' });

export class AnswerCheck {
  /** How often each kind of answer came. */
  readonly seen = new Map<string, number>();
  readonly #validate = frameValidator();
  readonly #kinds = new Map<string, number>();

  /** Why this is no message that a gateway may send; undefined when it is one. */
  problemOf(payload: Buffer, isBinary: boolean): string | undefined {
    let value: unknown;
    try {
      value = isBinary ? unpackr.unpack(payload) : JSON.parse(payload.toString());
    } catch (cause) {
      return `it cannot be read (${cause}): ${payload.subarray(0, 200).toString('hex')}`;
    }
    const { type, code } = (Array.isArray(value) ? { type: 'analytics' } : value) as { type?: unknown; code?: unknown };
    const name = code === undefined ? String(type) : `${type} ${code}`;
    this.seen.set(name, (this.seen.get(name) ?? 0) + 1);
    const kind = `${name} ${Object.keys(value as object).slice(0, 12)}`;
    const before = this.#kinds.get(kind) ?? 0;
    this.#kinds.set(kind, before + 1);
    if (before >= CHECKED_OF_A_KIND && before % SAMPLE !== 0) return undefined;
    const verdict = this.#validate.check(value);
    if (!('reasons' in verdict)) return undefined;
    return `${JSON.stringify(value).slice(0, 400)} is no frame: ${verdict.reasons}`;
  }

  /** @param sent codes that the client sent itself */
  closeProblemOf(code: number | undefined, sent: readonly number[]): string | undefined {
    const name = `close ${code ?? 'without a code'}`;
    this.seen.set(name, (this.seen.get(name) ?? 0) + 1);
    if (code === undefined || GATEWAY_CODES.has(code) || sent.includes(code)) return undefined;
    return `close code ${code} is none that a gateway sends`;
  }
}
