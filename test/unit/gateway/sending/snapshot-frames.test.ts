import { Unpackr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { composeQuotes, groupQuotes, type QuotePart } from '../../../../src/gateway/sending/snapshot-frames.js';
import { packedBytes } from '../../../../src/protocol/msgpack-writer.js';
import { FORMATS, type Format } from '../../../../src/protocol/view-options.js';

const FRAME_BYTES_MAX = 32 * 1024;

function quote(symbol: string, noteBytes: number, format: Format, epoch = 'e1'): QuotePart {
  const operation = {
    op: 'add',
    path: `/quotes/${symbol}`,
    value: { symbol, current_price: 1.5, note: 'x'.repeat(noteBytes) },
  };
  const bytes = format === 'json' ? Buffer.from(JSON.stringify(operation)) : packedBytes(out => out.value(operation));
  return { symbol, part: { epoch, seq: 123_456_789, bytes } };
}

const decoded = (frame: Buffer, format: Format) =>
  (format === 'json' ? JSON.parse(frame.toString()) : new Unpackr({ useRecords: false }).unpack(frame)) as {
    epoch: string;
    seqs: Record<string, number>;
    operations: { path: string }[];
    complete?: boolean;
    ts_sent?: number;
  };

describe.each(FORMATS)('S3 snapshots of many quotes in %s', format => {
  const options = { format, isStamped: false, isComplete: false };

  it('S3 are divided into frames of at most so many bytes, each quote in one of them', () => {
    const symbols = Array.from({ length: 1000 }, (_, i) => `S${i}`);
    const groups = groupQuotes(
      symbols.map((symbol, i) => quote(symbol, (i * 37) % 1500, format)),
      FRAME_BYTES_MAX,
    );
    const frames = groups.map(group => composeQuotes(group, options));
    expect(Math.max(...frames.map(frame => frame.length))).toBeLessThanOrEqual(FRAME_BYTES_MAX);
    // Not many more than needed.
    const bytes = frames.reduce((sum, frame) => sum + frame.length, 0);
    expect(frames.length).toBeLessThanOrEqual(Math.ceil((bytes / FRAME_BYTES_MAX) * 1.2));
    const documents = frames.map(frame => decoded(frame, format));
    expect(documents.flatMap(({ seqs }) => Object.keys(seqs))).toEqual(symbols);
    expect(documents.flatMap(({ operations }) => operations.map(({ path }) => path.slice(8)))).toEqual(symbols);
  });

  it('S3 leave a quote that is longer than a frame alone', () => {
    const parts = [quote('A', 10, format), quote('LONG', 40_000, format), quote('B', 10, format)];
    const groups = groupQuotes(parts, FRAME_BYTES_MAX);
    expect(groups.map(({ quotes }) => quotes.map(({ symbol }) => symbol))).toEqual([['A'], ['LONG'], ['B']]);
  });

  it('S3 have one epoch each, and leave out quotes without data', () => {
    const parts = [
      quote('A', 1, format, 'e1'),
      quote('B', 1, format, 'e2'),
      quote('C', 1, format, 'e1'),
      { symbol: 'NONE', part: { epoch: '', seq: 0, bytes: new Uint8Array(0) } },
    ];
    const groups = groupQuotes(parts, FRAME_BYTES_MAX);
    expect(groups.map(({ epoch, quotes }) => [epoch, quotes.map(({ symbol }) => symbol)])).toEqual([
      ['e1', ['A', 'C']],
      ['e2', ['B']],
    ]);
  });

  it('S3 say which is the last, before the stamp', () => {
    const [group] = groupQuotes([quote('A', 1, format)], FRAME_BYTES_MAX);
    if (group === undefined) throw new Error('no group');
    expect(decoded(composeQuotes(group, options), format)).not.toHaveProperty('complete');
    const last = decoded(composeQuotes(group, { format, isStamped: true, isComplete: true }), format);
    expect(last.complete).toBe(true);
    expect(Object.keys(last).at(-1)).toBe('ts_sent');
  });
});
