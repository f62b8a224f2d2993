/**
 * Building blocks of the protocol's messages. For documents and tests only: the data path does not validate with them.
 */
import { z } from 'zod';
import { SYMBOL_BYTES_MAX } from '../content-limits.js';
import { STREAMS } from '../topics.js';
import { USER_BYTES_MAX } from '../user-subject.js';
import { CLASSES, DEPTHS } from '../view-options.js';

/** One kind of message: its shape, its meaning, and an example. */
export interface MessageDefinition {
  readonly schema: z.ZodType;
  /** Its `type` or `action` on the wire, if it has one. Several definitions may share it. */
  readonly type: string | undefined;
  readonly summary: string;
  readonly example: unknown;
}

/** A definition whose example the compiler has checked against its schema. */
export function define<S extends z.ZodType>(
  type: string | undefined,
  schema: S,
  summary: string,
  example: z.input<S>,
): MessageDefinition {
  return { schema, type, summary, example };
}

/** A union of texts with the meaning of each. */
export function describedCodes<Code extends string | number>(meanings: Readonly<Record<Code, string>>, codes: Code[]) {
  return z.union(codes.map(code => z.literal(code).describe(meanings[code])));
}

/** Like `isSymbol` in topics.ts: NATS can carry it in a subject, and every client's documents as a member. */
const NAME = /^(?!__proto__$)(?!\.)(?!.*\.\.)(?!.*\.$)[^\s\p{Cc}\p{Surrogate}*>]+$/u;

export const name = z
  .string()
  .min(1)
  .max(SYMBOL_BYTES_MAX)
  .regex(NAME)
  .describe(
    'A symbol; in other streams a channel or a room. UTF-8 of at most 128 bytes without blanks, control characters, * and >; no empty part between dots.',
  );
export const user = z
  .string()
  .min(1)
  .max(USER_BYTES_MAX)
  .describe('The sub of a credential, 1 to 512 bytes of UTF-8; escaped in the NATS subject of the orders');
export const stream = z.enum(STREAMS).describe('A kind of data');
export const topic = z
  .string()
  .regex(new RegExp(`^(?:${STREAMS.join('|')}):.+$`))
  .describe('One ordered sequence within a stream, stream:name; trades:* is the trades of all symbols');
export const rateClass = z.enum(CLASSES).describe('How often a state topic is sent at most');
export const depth = z.literal([...DEPTHS]).describe('Levels on each side of a book');

export const epoch = z
  .string()
  .min(1)
  .max(80)
  .describe('What seq counts in; a new one begins when continuity cannot be proved');
export const seq = z.int().nonnegative().describe('Grows within a topic, and means nothing without its epoch');
export const prevSeq = z.int().nonnegative().describe('The seq that this message follows');
export const position = z.strictObject({ epoch, seq }).describe('The position of a topic, or of a client in it');
/** In every state and event message of a single topic. */
export const chain = {
  epoch,
  prev_seq: prevSeq,
  seq,
};

export const time = z.iso.datetime().describe('RFC 3339, UTC');
export const micros = z.int().nonnegative().describe('Microseconds since the Unix epoch');
/** In data frames if the client asked for `timestamps=1`. */
export const stamps = {
  ts_event: micros.optional(),
  ts_sent: micros.optional(),
};

export const amount = z
  .union([z.number(), z.string().regex(/^-?\d+(?:\.\d+)?$/)])
  .describe(
    'As the publisher wrote it: a number, or a decimal text without exponent. Texts stay texts and never become floats. In MessagePack, a number that fits no numeric type is such a text, too.',
  );
export const decimal = z
  .string()
  .regex(/^-?\d+(?:\.\d+)?$/)
  .describe('A decimal without exponent');
export const quantity = z
  .string()
  .regex(/^\d+(?:\.\d+)?$/)
  .describe('A decimal without sign and exponent');
/** A price or a quantity that may be absent. */
export const amountOrNone = amount.nullable().describe('null: there is no value');
export const reference = z.union([z.string(), z.number()]).describe('A number or name of the publisher’s own');
export const json = z.unknown().describe('Any JSON value');

export const commandId = z
  .union([z.string().max(128), z.number()])
  .describe('The id of the command, unchanged; absent if it had none');
