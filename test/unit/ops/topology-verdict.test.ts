/** R66: what the topology calls lost, and what it does not. */
import { describe, expect, it } from 'vitest';
import { TradeLedger } from '../../../ops/topology/trade-ledger.js';
import { TradeTally } from '../../../ops/topology/trade-tally.js';
import { type Evidence, type Verdict, verdictOf } from '../../../ops/topology/verdict.js';

const SYMBOL = 'A';

/** A ledger of trades that are stored, except for some. */
function ledgerOf(count: number, unstored: Readonly<Record<number, 'refused' | 'unconfirmed'>> = {}): TradeLedger {
  const ledger = new TradeLedger();
  for (let i = 0; i < count; i++) {
    const number = ledger.next(SYMBOL);
    const why = unstored[number];
    if (why === undefined) ledger.stored(SYMBOL, number);
    else ledger.notStored(SYMBOL, number, why);
  }
  return ledger;
}

/** A tally of trades as they came; `gap` where the gateway announced one. */
function tallyOf(came: readonly (number | 'gap')[]): TradeTally {
  const tally = new TradeTally();
  for (const one of came) {
    if (one === 'gap') tally.announceGap();
    else tally.add(one);
  }
  return tally;
}

function verdict(ledger: TradeLedger, came: readonly (number | 'gap')[], more: Partial<Evidence> = {}): Verdict {
  const witness = {
    tallies: new Map([[SYMBOL, tallyOf(came)]]),
    isOpen: true,
    connects: 1,
    gaps: new Map<string, number>(),
    repairs: 0,
  };
  return verdictOf({ ledger, witnesses: [witness], wrongDocuments: [], inStream: undefined, ...more });
}

const text = ({ lines }: Verdict): string => lines.join('\n');

describe('R66 the verdict of the topology', () => {
  it('R66 is good if every stored trade came once, in order', () => {
    expect(verdict(ledgerOf(3), [1, 2, 3])).toMatchObject({ isGood: true });
  });

  it('R66 is good if only trades are missing that JetStream refused, or never confirmed', () => {
    const ledger = ledgerOf(4, { 2: 'refused', 4: 'unconfirmed' });
    expect(verdict(ledger, [1, 3])).toMatchObject({ isGood: true });
    expect(text(verdict(ledger, [1, 3]))).toContain('2 not stored');
    // It was stored after all.
    expect(verdict(ledger, [1, 3, 4])).toMatchObject({ isGood: true });
  });

  it('R66 does not count a trade as lost that JetStream has not answered for yet', () => {
    const ledger = ledgerOf(2);
    ledger.next(SYMBOL);
    expect(verdict(ledger, [1, 2])).toMatchObject({ isGood: true });
    ledger.stored(SYMBOL, 3);
    expect(verdict(ledger, [1, 2])).toMatchObject({ isGood: false });
  });

  it.each([
    ['the first is missing', [2, 3], 'trade 1 of A'],
    ['one between is missing', [1, 3], 'trade 2 of A'],
    ['the last is missing', [1, 2], 'trade 3 of A'],
    ['one came twice', [1, 2, 2, 3], '1 twice'],
    ['one came late', [1, 3, 2], '1 out of order'],
  ])('R66 is bad if %s', (_what, came, said) => {
    expect(verdict(ledgerOf(3), came)).toMatchObject({ isGood: false });
    expect(text(verdict(ledgerOf(3), came))).toContain(said);
  });

  it('R66 says how many of the lost trades were announced as a gap', () => {
    expect(text(verdict(ledgerOf(9), [1, 'gap', 4, 6, 'gap']))).toContain('6 lost (5 of them announced)');
  });

  it('R66 is bad if a document is wrong, and names it', () => {
    const wrong = verdict(ledgerOf(1), [1], { wrongDocuments: ['client 1: depth:A'] });
    expect(wrong.isGood).toBe(false);
    expect(text(wrong)).toContain('client 1: depth:A');
  });

  it('R66 shows what the stream holds, and what clients were told', () => {
    const ledger = ledgerOf(1);
    const tallies = new Map([[SYMBOL, tallyOf([1])]]);
    const gaps = new Map([['not_recovered', 2]]);
    const witness = { tallies, isOpen: false, connects: 3, gaps, repairs: 4 };
    const away = verdictOf({ ledger, witnesses: [witness], wrongDocuments: [], inStream: 5 });
    expect(away.isGood).toBe(false);
    expect(text(away)).toMatch(/holds 5;.*2 not_recovered.*4 repaired.*2 reconnects.*1 clients are not connected/s);
  });
});
