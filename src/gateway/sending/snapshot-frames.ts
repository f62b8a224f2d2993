/** Builds a `quotes_patch` snapshot frame by concatenating parts from the encoder; nothing is encoded twice. */

import { packedBytes } from '../../protocol/msgpack-writer.js';
import type { Format } from '../../protocol/view-options.js';
import { TS_SENT_PLACEHOLDER } from '../../threads/stamp.js';
import type { Part } from '../views/views.js';

export interface QuotePart {
  readonly symbol: string;
  readonly part: Part;
}

/** All parts must share one epoch. Parts without data are omitted. */
export function composeQuotes(epoch: string, quotes: readonly QuotePart[], format: Format, isStamped: boolean): Buffer {
  const present = quotes.filter(quote => quote.part.bytes.length > 0);
  const seqs = Object.fromEntries(present.map(quote => [quote.symbol, quote.part.seq]));
  return format === 'json'
    ? composeJson(epoch, seqs, present, isStamped)
    : composeMsgpack(epoch, seqs, present, isStamped);
}

function composeJson(epoch: string, seqs: object, quotes: readonly QuotePart[], isStamped: boolean): Buffer {
  const head = `{"type":"quotes_patch","snapshot":true,"epoch":${JSON.stringify(epoch)},"seqs":${JSON.stringify(seqs)},"operations":[`;
  const pieces: Uint8Array[] = [Buffer.from(head)];
  const comma = Buffer.from(',');
  quotes.forEach(({ part }, i) => {
    if (i > 0) pieces.push(comma);
    pieces.push(part.bytes);
  });
  pieces.push(Buffer.from(isStamped ? `],"ts_sent":${TS_SENT_PLACEHOLDER}}` : ']}'));
  return Buffer.concat(pieces);
}

function composeMsgpack(epoch: string, seqs: object, quotes: readonly QuotePart[], isStamped: boolean): Buffer {
  const head = packedBytes(out => {
    out.map(isStamped ? 6 : 5);
    for (const item of ['type', 'quotes_patch', 'snapshot', true, 'epoch', epoch, 'seqs', seqs, 'operations']) {
      out.value(item);
    }
    out.array(quotes.length);
  });
  const pieces: Uint8Array[] = [head, ...quotes.map(({ part }) => part.bytes)];
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
