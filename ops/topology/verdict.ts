/** Whether anything was lost: what the publisher stored, held against what each client got. */
import type { TradeLedger } from './trade-ledger.js';
import type { TradeTally } from './trade-tally.js';

/** Of each kind of problem, how many are named. */
const NAMED_MAX = 5;
const NAME_WIDTH = 13;

/** What the verdict needs of a client. */
interface Witness {
  readonly tallies: ReadonlyMap<string, TradeTally>;
  readonly isOpen: boolean;
  readonly connects: number;
  /** Announced losses by their reason. */
  readonly gaps: ReadonlyMap<string, number>;
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
  /** Of those lost. */
  announced: number;
  repeated: number;
  disordered: number;
  readonly examples: string[];
}

export interface Evidence {
  readonly ledger: TradeLedger;
  readonly witnesses: readonly Witness[];
  /** Such as `client 3: quotes:ACME`: documents that are not what was published last. */
  readonly wrongDocuments: readonly string[];
  /** Trades in the stream; undefined if JetStream does not say. */
  readonly inStream: number | undefined;
}

export function verdictOf({ ledger, witnesses, wrongDocuments, inStream }: Evidence): Verdict {
  const counts = countsOf(ledger, witnesses);
  const away = witnesses.filter(({ isOpen }) => !isOpen).length;
  const sum = (of: (witness: Witness) => number): number => witnesses.reduce((total, one) => total + of(one), 0);
  const { published, stored, refused, unconfirmed, waiting } = ledger.totals;
  const isGood = counts.lost + counts.repeated + counts.disordered + wrongDocuments.length + away === 0;
  const announced = counts.lost === 0 ? '' : ` (${n(counts.announced)} of them announced)`;
  const held = inStream === undefined ? 'does not answer' : `holds ${n(inStream)}`;
  const rows: [string, string][] = [
    ['trades', `${n(published)} published: ${n(stored)} stored by JetStream, whose stream ${held};`],
    ['', `${n(refused + unconfirmed + waiting)} not stored, or not known to be: clients may lack these`],
    [`${n(witnesses.length)} clients`, `got ${n(counts.received)} trades: ${n(counts.lost)} lost${announced},`],
    ['', `${n(counts.repeated)} twice, ${n(counts.disordered)} out of order; gaps announced: ${gapsOf(witnesses)}`],
    ['documents', wrongDocuments.length === 0 ? 'all as published last' : `${n(wrongDocuments.length)} wrong`],
    ['', `${n(sum(one => one.repairs))} repaired on the way`],
    ['connections', `${n(sum(one => Math.max(0, one.connects - 1)))} reconnects`],
    ...counts.examples.map((example): [string, string] => ['lost', example]),
    ...wrongDocuments.slice(0, NAMED_MAX).map((name): [string, string] => ['wrong', name]),
  ];
  if (away > 0) rows.push(['away', `${n(away)} clients are not connected: what they lack counts as lost`]);
  rows.push(isGood ? ['GOOD', 'nothing lost, nothing twice, every document right'] : ['BAD', 'see above']);
  return { isGood, lines: rows.map(([name, text]) => `${name.padEnd(NAME_WIDTH)}${text}`) };
}

const n = (value: number): string => value.toLocaleString('en-US');

/** Such as `20 not_recovered`. */
function gapsOf(witnesses: readonly Witness[]): string {
  const counts = new Map<string, number>();
  for (const [reason, count] of witnesses.flatMap(({ gaps }) => [...gaps])) {
    counts.set(reason, (counts.get(reason) ?? 0) + count);
  }
  return counts.size === 0 ? 'none' : [...counts].map(([reason, count]) => `${n(count)} ${reason}`).join(', ');
}

function countsOf(ledger: TradeLedger, witnesses: readonly Witness[]): Counts {
  const counts: Counts = { received: 0, lost: 0, announced: 0, repeated: 0, disordered: 0, examples: [] };
  for (const [at, { tallies }] of witnesses.entries()) {
    for (const [symbol, tally] of tallies) {
      counts.received += tally.received;
      counts.repeated += tally.repeated;
      counts.disordered += tally.disordered;
      for (const { number, isAnnounced } of tally.missing(ledger.lastOf(symbol))) {
        if (ledger.fateOf(symbol, number) !== undefined) continue;
        if (isAnnounced) counts.announced++;
        if (++counts.lost <= NAMED_MAX) counts.examples.push(`client ${at + 1}: trade ${number} of ${symbol}`);
      }
    }
  }
  return counts;
}
