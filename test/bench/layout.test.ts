/** @module-tag slow */
import fc from 'fast-check';
import { Packr, unpack } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { buildFrames, deliveryMark, FORMATS, frameSetOf, isDelta, payloadOf } from '../../bench/fanout/frames.js';
import { checkLayout, fanoutOf, symbolsOf, symbolsOfClient } from '../../bench/fanout/layout.js';
import { bookAt, bookBefore, quoteAt, TICKS_PER_CYCLE } from '../../bench/fanout/ticks.js';

const LAYOUT = { clients: 3, symbolsPerClient: 2, universe: 4 };

describe('R50: who is subscribed to what', () => {
  it('counts the subscribers that the clients really are', () => {
    const layouts = fc.record({
      clients: fc.integer({ min: 1, max: 40 }),
      symbolsPerClient: fc.integer({ min: 1, max: 25 }),
      universe: fc.integer({ min: 1, max: 60 }),
    });
    fc.assert(
      fc.property(layouts, layout => {
        fc.pre(layout.symbolsPerClient <= layout.universe);
        const wanted = Array.from({ length: layout.clients }, (_, client) => symbolsOfClient(layout, client)).flat();
        const counted = symbolsOf(layout).map(symbol => wanted.filter(name => name === symbol).length);
        expect(fanoutOf(layout)).toEqual(counted);
      }),
    );
  });

  it('refuses layouts in which a symbol has no subscriber', () => {
    expect(() => checkLayout({ clients: 1, symbolsPerClient: 2, universe: 4 })).toThrow(/4 symbols/);
    expect(() => checkLayout({ clients: 1, symbolsPerClient: 5, universe: 4 })).toThrow(/5 symbols per client/);
    expect(checkLayout(LAYOUT)).toBe(LAYOUT);
  });
});

describe('R50: the bytes that are published', () => {
  it.each([
    ['price', ['current_price']],
    ['tick', ['current_price', 'change', 'change_percent', 'bid', 'ask', 'volume', 'last_updated']],
  ] as const)('a %s update always changes the same fields', (shape, fields) => {
    for (let tick = 0; tick < TICKS_PER_CYCLE; tick++) {
      const [before, after] = [quoteAt('S000', tick, shape), quoteAt('S000', tick + 1, shape)];
      const changed = Object.keys(after).filter(
        name => before[name as keyof typeof before] !== after[name as keyof typeof after],
      );
      expect(changed).toEqual(fields);
    }
  });

  it('moves eight levels of each side of a book at every tick', () => {
    for (let tick = 0; tick < TICKS_PER_CYCLE; tick++) {
      const [before, after] = [bookAt('S000', tick), bookAt('S000', tick + 1)];
      for (const side of ['bids', 'asks'] as const) {
        expect(after[side].map(([price]) => price)).toEqual(before[side].map(([price]) => price));
        expect(after[side].filter(([, quantity], level) => quantity !== before[side][level]?.[1])).toHaveLength(8);
        expect(bookBefore('S000')[side].map(([price]) => price)).toEqual(
          expect.arrayContaining(after[side].map(l => l[0])),
        );
      }
    }
  });

  it.each(FORMATS)('builds one cycle of chained deltas for every symbol in %s, each marked as a delivery', format => {
    const frames = buildFrames(LAYOUT, 'price', format);
    const mark = deliveryMark('price', format);
    expect(frames).toHaveLength(4);
    for (const cycle of frames) {
      expect(cycle).toHaveLength(TICKS_PER_CYCLE);
      for (const [tick, frame] of cycle.entries()) {
        const payload = payloadOf(frame, format);
        expect(payload[mark.offset]).toBe(mark.byte);
        expect(isDelta(payload, 'price', format)).toBe(true);
        const message = format === 'json' ? JSON.parse(frame) : unpack(payload);
        expect(message).toMatchObject({ type: 'quotes_patch', prev_seq: 999 + tick, seq: 1000 + tick });
      }
    }
  });

  it.each(FORMATS)('counts no snapshot, no heartbeat and no answer as a delivery, in %s', format => {
    const packr = new Packr({ useRecords: false, variableMapSize: true });
    for (const shape of ['price', 'depth'] as const) {
      const stream = shape === 'price' ? 'quotes' : 'depth';
      const mark = deliveryMark(shape, format);
      const others = [
        { type: `${stream}_patch`, snapshot: true, epoch: 'e1' },
        { type: 'heartbeat', topic: `${stream}:S000` },
        { type: 'subscribed', stream, topics: [`${stream}:S000`] },
        { type: 'going_away', reconnect_after_ms: 12_000 },
      ];
      for (const other of others) {
        const frame = format === 'json' ? Buffer.from(JSON.stringify(other)) : packr.pack(other);
        expect(isDelta(frame, shape, format)).toBe(false);
        expect(frame[mark.offset]).not.toBe(mark.byte);
      }
    }
  });

  it.each(FORMATS)('keeps the last cycle of each symbol of a recording in %s', format => {
    const cycles = buildFrames(LAYOUT, 'tick', format);
    const recorded = Array.from({ length: TICKS_PER_CYCLE }, (_, tick) =>
      cycles.map(cycle => Buffer.from(payloadOf(cycle[tick] ?? '', format))),
    ).flat();
    expect(frameSetOf(LAYOUT, [...recorded.slice(0, 9), ...recorded], format)).toEqual(cycles);
    expect(() => frameSetOf(LAYOUT, recorded.slice(4), format)).toThrow(/63 frames recorded of S000/);
  });
});
