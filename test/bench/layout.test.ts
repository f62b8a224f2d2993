import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildFrames, frameSetOf, isDelta, QUOTES_DELTA } from '../../bench/fanout/frames.js';
import { checkLayout, fanoutOf, symbolsOf, symbolsOfClient } from '../../bench/fanout/layout.js';
import { quoteAt, TICKS_PER_CYCLE } from '../../bench/fanout/ticks.js';

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

  it('builds one cycle of chained deltas for every symbol, each marked as a delivery', () => {
    const frames = buildFrames(LAYOUT, 'price');
    expect(frames).toHaveLength(4);
    for (const cycle of frames) {
      expect(cycle).toHaveLength(TICKS_PER_CYCLE);
      for (const [tick, text] of cycle.entries()) {
        expect(text.charCodeAt(QUOTES_DELTA.offset)).toBe(QUOTES_DELTA.byte);
        expect(JSON.parse(text)).toMatchObject({ type: 'quotes_patch', prev_seq: 999 + tick, seq: 1000 + tick });
      }
    }
  });

  it('counts no snapshot and no heartbeat as a delivery', () => {
    const others = [
      '{"type":"quotes_patch","snapshot":true,"epoch":"e1"}',
      '{"type":"heartbeat","topic":"quotes:S000"}',
    ];
    for (const text of others) {
      expect(isDelta(text)).toBe(false);
      expect(text.charCodeAt(QUOTES_DELTA.offset)).not.toBe(QUOTES_DELTA.byte);
    }
  });

  it('keeps the last cycle of each symbol of a recording', () => {
    const cycles = buildFrames(LAYOUT, 'tick');
    const recorded = Array.from({ length: TICKS_PER_CYCLE }, (_, tick) =>
      cycles.map(cycle => cycle[tick] ?? ''),
    ).flat();
    expect(frameSetOf(LAYOUT, [...recorded.slice(0, 9), ...recorded])).toEqual(cycles);
    expect(() => frameSetOf(LAYOUT, recorded.slice(4))).toThrow(/63 frames recorded of S000/);
    expect(() => frameSetOf(LAYOUT, ['{"type":"heartbeat"}'])).toThrow(/not a delta/);
  });
});
