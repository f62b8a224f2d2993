/** Builds `quotes_patch` snapshot frames by concatenating parts from the encoder; nothing is encoded twice. */
import { packedBytes } from '../../protocol/msgpack-writer.js';
import type { Format } from '../../protocol/view-options.js';
import { TS_SENT_PLACEHOLDER } from '../../threads/stamp.js';
import type { Part } from '../views/views.js';

export interface QuotePart {
  readonly symbol: string;
  readonly part: Part;
}

/** Quotes of one epoch that fit into one frame. */
interface QuoteGroup<Quote extends QuotePart = QuotePart> {
  readonly epoch: string;
  readonly quotes: Quote[];
}

interface QuoteFrameOptions {
  readonly format: Format;
  readonly isStamped: boolean;
  /** The frame says that no quote is missing any more. */
  readonly isComplete: boolean;
}

/** Members that every frame has. */
const MEMBERS = 5;
/** More than the members of a frame take besides its quotes: the longest epoch (80 characters, escaped) included. */
export const FRAME_BYTES = 640;
/** The same for a quote besides its part and its symbol: the sequence number and punctuation. */
const QUOTE_BYTES = 24;

/** An upper bound of what a quote adds to a frame. */
export const quoteBytes = (symbol: string, part: Part): number =>
  part.bytes.length + Buffer.byteLength(JSON.stringify(symbol)) + QUOTE_BYTES;

/** Divides quotes into frames of at most `bytesMax`, by epoch; a longer quote gets a frame of its own. */
export function groupQuotes<Quote extends QuotePart>(quotes: Iterable<Quote>, bytesMax: number): QuoteGroup<Quote>[] {
  const groups: QuoteGroup<Quote>[] = [];
  const open = new Map<string, { readonly group: QuoteGroup<Quote>; bytes: number }>();
  for (const quote of quotes) {
    const { symbol, part } = quote;
    if (part.bytes.length === 0) continue;
    const bytes = quoteBytes(symbol, part);
    const last = open.get(part.epoch);
    if (last !== undefined && last.bytes + bytes <= bytesMax) {
      last.group.quotes.push(quote);
      last.bytes += bytes;
    } else {
      const group = { epoch: part.epoch, quotes: [quote] };
      groups.push(group);
      open.set(part.epoch, { group, bytes: FRAME_BYTES + bytes });
    }
  }
  return groups;
}

/** All parts must have data. */
export function composeQuotes({ epoch, quotes }: QuoteGroup, options: QuoteFrameOptions): Buffer {
  const seqs = Object.fromEntries(quotes.map(({ symbol, part }) => [symbol, part.seq]));
  return options.format === 'json'
    ? composeJson(epoch, seqs, quotes, options)
    : composeMsgpack(epoch, seqs, quotes, options);
}

function composeJson(
  epoch: string,
  seqs: object,
  quotes: readonly QuotePart[],
  { isStamped, isComplete }: QuoteFrameOptions,
): Buffer {
  const head = `{"type":"quotes_patch","snapshot":true,"epoch":${JSON.stringify(epoch)},"seqs":${JSON.stringify(seqs)},"operations":[`;
  const pieces: Uint8Array[] = [Buffer.from(head)];
  const comma = Buffer.from(',');
  quotes.forEach(({ part }, i) => {
    if (i > 0) pieces.push(comma);
    pieces.push(part.bytes);
  });
  const complete = isComplete ? ',"complete":true' : '';
  pieces.push(Buffer.from(isStamped ? `]${complete},"ts_sent":${TS_SENT_PLACEHOLDER}}` : `]${complete}}`));
  return Buffer.concat(pieces);
}

function composeMsgpack(
  epoch: string,
  seqs: object,
  quotes: readonly QuotePart[],
  { isStamped, isComplete }: QuoteFrameOptions,
): Buffer {
  const head = packedBytes(out => {
    out.map(MEMBERS + Number(isComplete) + Number(isStamped));
    for (const item of ['type', 'quotes_patch', 'snapshot', true, 'epoch', epoch, 'seqs', seqs, 'operations']) {
      out.value(item);
    }
    out.array(quotes.length);
  });
  const pieces: Uint8Array[] = [head, ...quotes.map(({ part }) => part.bytes)];
  if (isComplete) {
    pieces.push(
      packedBytes(out => {
        out.string('complete');
        out.value(true);
      }),
    );
  }
  if (isStamped) {
    pieces.push(
      packedBytes(out => {
        out.string('ts_sent');
        out.number(TS_SENT_PLACEHOLDER);
      }),
    );
  }
  return Buffer.concat(pieces);
}
