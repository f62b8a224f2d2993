import { Packr } from 'msgpackr';
import { createPatch } from 'rfc6902';
import { median, probe } from './probe.mjs';

const TICKS = 100;
const LEVELS = 200;

const ticks = Array.from({ length: TICKS }, (_, index) => ({
  stream: 'md',
  symbol: 'BTC-USD',
  venue: 'SIM',
  seq: 1_000_000 + index,
  ts_event: 1_700_000_000_000_000 + index * 17,
  bid: String(64_000 + index * 0.5),
  ask: String(64_000.5 + index * 0.5),
  bid_size: String(index % 7),
  ask_size: String(index % 5),
}));

const level = (index, size) => [String(64_000 - index * 0.5), String(size)];
const book = size => ({ bids: Array.from({ length: LEVELS }, (_, index) => level(index, size(index))) });

await probe(
  'codecs: maps of msgpackr beat JSON; a generic diff of a book costs thousands of times one of known fields',
  async ({ check, note }) => {
    const timed = (times, work) => {
      const samples = [];
      for (let sample = 0; sample < times; sample++) {
        const start = performance.now();
        work();
        samples.push((performance.now() - start) * 1000);
      }
      return median(samples);
    };
    const packr = new Packr({ useRecords: false });
    const json = () => ticks.map(tick => JSON.stringify(tick));
    const pack = () => ticks.map(tick => packr.pack(tick));
    timed(300, json);
    timed(300, pack);
    const jsonCost = timed(500, json);
    const packCost = timed(500, pack);
    const size = frames => frames.reduce((sum, frame) => sum + Buffer.byteLength(frame), 0);
    note(
      `${TICKS} ticks: JSON ${jsonCost.toFixed(0)} µs and ${size(json())} B, msgpackr maps ${packCost.toFixed(0)} µs and ${size(pack())} B`,
    );
    check(size(pack()) < size(json()), `maps are ${((100 * size(pack())) / size(json())).toFixed(0)} % of JSON's size`);
    note(`JSON costs ${(jsonCost / packCost).toFixed(1)} times the maps`);

    // Three levels change, one leaves and one arrives.
    const before = book(index => index + 1);
    const after = book(index => (index % 70 === 0 ? 9999 : index + 1));
    after.bids.splice(50, 1);
    after.bids.push(level(LEVELS, 5));
    const generic = timed(2, () => createPatch(before, after));
    const known = () => {
      const sizes = new Map(before.bids);
      const changes = [];
      for (const [price, amount] of after.bids) {
        if (sizes.get(price) !== amount) changes.push([price, amount]);
        sizes.delete(price);
      }
      for (const price of sizes.keys()) changes.push([price, '0']);
      return changes;
    };
    timed(500, known);
    const byHand = timed(500, known);
    note(`a ${LEVELS}-level side: rfc6902 ${(generic / 1000).toFixed(1)} ms, known fields ${byHand.toFixed(1)} µs`);
    check(
      generic / byHand > 50,
      `the generic diff costs ${Math.round(generic / byHand)} times the one of known fields`,
    );
  },
);
