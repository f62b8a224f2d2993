/** Whether anything was lost: what the publisher stored, held against what each client got. */
import type { TradeLedger } from './trade-ledger.js';
import type { TradeTally } from './trade-tally.js';

/** Of each kind of problem, how many are named. */
const NAMED_MAX = 5;

/** What the verdict needs of a client. */
export interface Witness {
  readonly tallies: ReadonlyMap<string, TradeTally>;
  readonly isOpen: boolean;
  readonly connects: number;
  readonly gaps: number;
  readonly repairs: number;
}

export interface Verdict {
  /** Nothing stored is missing or doubled, and every document is right. */
  readonly isGood: boolean;
  /** For people. */
  readonly lines: readonly string[];
}

interface Counts {
  received: number;
  lost: number;
  repeated: number;
  disordered: number;
  readonly examples: string[];
}

/** @param wrongDocuments such as `client 3: quotes:ACME`, which are not what was published last */
export function verdictOf(
  ledger: TradeLedger,
  witnesses: readonly Witness[],
  wrongDocuments: readonly string[],
): Verdict {
  const counts = countsOf(ledger, witnesses);
  const away = witnesses.filter(({ isOpen }) => !isOpen).length;
  const sum = (of: (witness: Witness) => number): number => witnesses.reduce((total, one) => total + of(one), 0);
  const { published, stored, refused, unconfirmed, waiting } = ledger.totals;
  const isGood = counts.lost + counts.repeated + counts.disordered + wrongDocuments.length + away === 0;
  const n = (value: number): string => value.toLocaleString('en-US');
  const lines = [
    `trades     ${n(published)} published, ${n(stored)} stored by JetStream`,
    `           ${n(refused + unconfirmed + waiting)} not stored, or not known to be (no quorum): these may be missing`,
    `${n(witnesses.length).padEnd(3)} clients got ${n(counts.received)} trades: ${n(counts.lost)} lost, ` +
      `${n(counts.repeated)} twice, ${n(counts.disordered)} out of order`,
    `           ${n(sum(one => one.gaps))} losses announced, ${n(sum(one => one.repairs))} documents repaired, ` +
      `${n(sum(one => Math.max(0, one.connects - 1)))} reconnects`,
    `documents  ${wrongDocuments.length === 0 ? 'all' : `${n(wrongDocuments.length)} wrong; the others`} equal what was published last`,
    ...counts.examples.map(example => `lost       ${example}`),
    ...wrongDocuments.slice(0, NAMED_MAX).map(name => `wrong      ${name}`),
    ...(away === 0 ? [] : [`away       ${n(away)} clients are not connected: what they lack counts as lost`]),
    isGood ? 'GOOD       nothing lost, nothing twice, every document right' : 'BAD        see above',
  ];
  return { isGood, lines };
}

function countsOf(ledger: TradeLedger, witnesses: readonly Witness[]): Counts {
  const counts: Counts = { received: 0, lost: 0, repeated: 0, disordered: 0, examples: [] };
  for (const [at, { tallies }] of witnesses.entries()) {
    for (const [symbol, tally] of tallies) {
      counts.received += tally.received;
      counts.repeated += tally.repeated;
      counts.disordered += tally.disordered;
      for (const number of tally.missing(ledger.lastOf(symbol))) {
        if (ledger.fateOf(symbol, number) !== undefined) continue;
        if (++counts.lost <= NAMED_MAX) counts.examples.push(`client ${at + 1}: trade ${number} of ${symbol}`);
      }
    }
  }
  return counts;
}
