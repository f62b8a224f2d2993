/** @module-tag slow */
import { pack } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { Ledger, QUOTES } from '../../bench/bytes/ledger.js';

const TICK_GAP_MS = 50;
const AAPL = { symbol: 'AAPL', current_price: 150.25, bid: 150.24 };
const SNAPSHOT = {
  ...{ type: 'quotes_patch', snapshot: true, epoch: 'e1', seqs: { AAPL: 1, MSFT: 1 } },
  operations: [
    { op: 'add', path: '/quotes/AAPL', value: AAPL },
    { op: 'add', path: '/quotes/MSFT', value: { ...AAPL, symbol: 'MSFT' } },
  ],
};

function delta(symbol: string, seq: number, bid: number) {
  const operations = [{ op: 'replace', path: `/quotes/${symbol}/bid`, value: bid }];
  return { type: 'quotes_patch', symbol, epoch: 'e1', prev_seq: seq - 1, seq, operations };
}

describe('R7: what updates cost', () => {
  it('weighs the patches against the whole objects and the whole list of the same updates', () => {
    const ledger = new Ledger(QUOTES, TICK_GAP_MS);
    const updates = [delta('AAPL', 2, 150.2), delta('MSFT', 2, 150.21), delta('AAPL', 3, 150.22)];
    ledger.json(JSON.stringify(SNAPSHOT), 0);
    for (const [index, update] of updates.entries()) {
      ledger.json(JSON.stringify(update), [100, 101, 200][index] ?? 0);
      ledger.msgpack(pack(update));
    }
    const whole = (symbol: string, seq: number, bid: number): number => {
      const envelope = { type: 'quotes_patch', symbol, epoch: 'e1', prev_seq: seq - 1, seq };
      const operations = [{ op: 'replace', path: `/quotes/${symbol}`, value: { ...AAPL, symbol, bid } }];
      return JSON.stringify({ ...envelope, operations }).length;
    };
    const list = (aapl: number): number =>
      JSON.stringify({
        type: 'quotes_patch',
        quotes: { AAPL: { ...AAPL, bid: aapl }, MSFT: { ...AAPL, symbol: 'MSFT', bid: 150.21 } },
      }).length;
    expect(ledger.close()).toEqual({
      updates: 3,
      operations: 3,
      ticks: 2,
      jsonPatch: updates.reduce((sum, update) => sum + JSON.stringify(update).length, 0),
      msgpackPatch: updates.reduce((sum, update) => sum + pack(update).length, 0),
      wholeObjects: whole('AAPL', 2, 150.2) + whole('MSFT', 2, 150.21) + whole('AAPL', 3, 150.22),
      longerThanWhole: 0,
      wholeLists: list(150.2) + list(150.22),
    });
  });

  it('counts the patches that are longer than what they change', () => {
    const ledger = new Ledger(QUOTES, TICK_GAP_MS);
    const change = (seq: number) => {
      const fields = { current_price: 151 + seq, bid: 150 + seq };
      const operations = Object.entries(fields).map(([field, value]) => {
        return { op: 'replace', path: `/quotes/AAPL/${field}`, value };
      });
      return { ...delta('AAPL', seq, 0), operations };
    };
    ledger.json(JSON.stringify(SNAPSHOT), 0);
    for (const update of [change(2), delta('AAPL', 3, 150.5), change(4)]) {
      ledger.json(JSON.stringify(update), 100);
      ledger.msgpack(pack(update));
    }
    expect(ledger.close()).toMatchObject({ updates: 3, longerThanWhole: 2 });
  });

  it('leaves out updates that came in one format only', () => {
    const ledger = new Ledger(QUOTES, TICK_GAP_MS);
    ledger.json(JSON.stringify(SNAPSHOT), 0);
    ledger.json(JSON.stringify(delta('AAPL', 2, 1)), 100);
    ledger.json(JSON.stringify(delta('AAPL', 3, 2)), 200);
    ledger.msgpack(pack(delta('AAPL', 3, 2)));
    ledger.msgpack(pack(delta('AAPL', 4, 3)));
    expect(ledger.close()).toMatchObject({ updates: 1, ticks: 1 });
  });

  it('says when a patch does not apply', () => {
    const ledger = new Ledger(QUOTES, TICK_GAP_MS);
    ledger.json(JSON.stringify(delta('AAPL', 2, 1)), 100);
    expect(() => ledger.close()).toThrow(/a patch does not apply: MissingError/);
  });
});
