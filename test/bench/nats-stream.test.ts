/** @module-tag slow */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NatsStream } from '../../bench/load/nats-stream.js';
import { Tally } from '../../bench/load/tally.js';

function reading() {
  const tally = new Tally(undefined);
  const seen = { replies: [] as string[], faults: [] as string[], payloads: [] as string[] };
  const events = {
    reply: (bytes: Uint8Array) => void seen.replies.push(Buffer.from(bytes).toString()),
    broken: (reason: string) => void seen.faults.push(reason),
  };
  const stream = new NatsStream(7, tally, events, {
    inspect: (socket, bytes, from, to) =>
      void seen.payloads.push(`${socket} ${Buffer.from(bytes.subarray(from, to)).toString()}`),
  });
  return { tally, seen, stream };
}

describe("R50: the load generator reads NATS's protocol", () => {
  it('counts every message alike, wherever the stream is cut', () => {
    const payload = fc.oneof(fc.string({ maxLength: 40 }), fc.constantFrom('', 'MSG a 1 5\r\n', 'PING\r\n', '\r\n'));
    const pieces = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 10 });
    fc.assert(
      fc.property(fc.array(payload, { maxLength: 12 }), pieces, (payloads, sizes) => {
        const { tally, seen, stream } = reading();
        const sent = Buffer.concat(
          payloads.flatMap(text => {
            const bytes = Buffer.from(text);
            return [Buffer.from(`MSG md.quotes.S000 17 ${bytes.length}\r\n`), bytes, Buffer.from('\r\nPING\r\n')];
          }),
        );
        for (let at = 0, step = 0; at < sent.length; step++) {
          const piece = Buffer.from(sent.subarray(at, at + (sizes[step % sizes.length] ?? 1)));
          at += piece.length;
          stream.take(piece, 0, piece.length);
          piece.fill(0x0a);
        }
        expect(tally.deliveries).toBe(payloads.length);
        expect(tally.payloadBytes).toBe(payloads.reduce((sum, text) => sum + Buffer.byteLength(text), 0));
        expect(seen.replies).toEqual(payloads.map(() => 'PONG\r\n'));
        expect(seen.payloads).toEqual(payloads.map(text => `7 ${text}`));
        expect(seen.faults).toEqual([]);
      }),
    );
  });

  it('says what the server complains about, and gives up a line without an end', () => {
    const { seen, stream } = reading();
    const complaint = Buffer.from("-ERR 'Slow Consumer'\r\n");
    stream.take(complaint, 0, complaint.length);
    const endless = Buffer.alloc(20_000, 'x');
    stream.take(endless, 0, endless.length);
    expect(seen.faults).toEqual(["-ERR 'Slow Consumer'", expect.stringMatching(/line of more than/)]);
  });
});
