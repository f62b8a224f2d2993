/** Builds a `quotes_patch` snapshot frame out of parts encoded by the encoder: concatenation, nothing is encoded twice. */
import { Packr } from 'msgpackr';
import type { Format } from '../protocol/lanes.js';
import { TS_SENT_PLACEHOLDER } from '../protocol/stamp.js';
import type { Part } from './lane-table.js';

export interface QuotePart {
  readonly symbol: string;
  readonly part: Part;
}

const packr = new Packr({ useRecords: false, variableMapSize: true });

/** All parts must be of one epoch. Parts without data are left out. */
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
  const pieces: Uint8Array[] = [Buffer.from([0x80 | (isStamped ? 6 : 5)])];
  const pack = (value: unknown) => pieces.push(Buffer.from(packr.pack(value)));
  pack('type');
  pack('quotes_patch');
  pack('snapshot');
  pack(true);
  pack('epoch');
  pack(epoch);
  pack('seqs');
  pack(seqs);
  pack('operations');
  const arrayHead = Buffer.alloc(5);
  arrayHead[0] = 0xdd;
  arrayHead.writeUInt32BE(quotes.length, 1);
  pieces.push(arrayHead);
  for (const { part } of quotes) pieces.push(part.bytes);
  if (isStamped) {
    pack('ts_sent');
    pack(TS_SENT_PLACEHOLDER);
  }
  return Buffer.concat(pieces);
}
