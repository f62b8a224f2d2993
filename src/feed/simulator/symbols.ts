import { fnv1aOfText } from '../../protocol/fnv.js';
import { isSymbol } from '../../protocol/topics.js';
import { SeededRandom } from './seeded-random.js';

/** Rounded prices of an ordinary day, in cents. Fifty, so that the first generated name is SYM0051. */
const BUILT_IN: ReadonlyMap<string, number> = new Map([
  ['AAPL', 230_00],
  ['MSFT', 415_00],
  ['GOOGL', 175_00],
  ['AMZN', 195_00],
  ['TSLA', 250_00],
  ['NVDA', 135_00],
  ['META', 560_00],
  ['BTC/USDT', 65_000_00],
  ['ETH/USDT', 3_200_00],
  ['SOL/USDT', 160_00],
  ['JPM', 210_00],
  ['V', 280_00],
  ['MA', 490_00],
  ['UNH', 550_00],
  ['HD', 380_00],
  ['PG', 170_00],
  ['JNJ', 155_00],
  ['XOM', 115_00],
  ['CVX', 150_00],
  ['KO', 65_00],
  ['PEP', 165_00],
  ['WMT', 80_00],
  ['COST', 890_00],
  ['DIS', 95_00],
  ['NFLX', 700_00],
  ['ADBE', 500_00],
  ['CRM', 290_00],
  ['ORCL', 170_00],
  ['INTC', 22_00],
  ['AMD', 155_00],
  ['AVGO', 170_00],
  ['QCOM', 165_00],
  ['TXN', 200_00],
  ['CSCO', 55_00],
  ['IBM', 230_00],
  ['GE', 185_00],
  ['BA', 150_00],
  ['CAT', 390_00],
  ['GS', 520_00],
  ['MS', 115_00],
  ['BAC', 42_00],
  ['C', 65_00],
  ['PFE', 28_00],
  ['MRK', 105_00],
  ['ABBV', 190_00],
  ['LLY', 890_00],
  ['NKE', 80_00],
  ['MCD', 300_00],
  ['BNB/USDT', 590_00],
  ['XMR/USDT', 158_00],
]);
const BASE_CENTS_MIN = 10_00;
const BASE_CENTS_MAX = 500_00;

/**
 * The simulated symbols: those named (without patterns that contain `*`, and without repetitions), else the built-in
 * list, truncated to `count` or extended with generated names.
 * @throws {RangeError} if a name is not a symbol.
 */
export function simulatedSymbols(named: readonly string[], count: number): string[] {
  const wanted = [...new Set(named.filter(name => !name.includes('*')))];
  const wrong = wanted.find(name => !isSymbol(name));
  if (wrong !== undefined) throw new RangeError(`not a symbol: ${JSON.stringify(wrong)}`);
  if (wanted.length > 0) return wanted;
  const symbols = [...BUILT_IN.keys()].slice(0, count);
  for (let n = symbols.length + 1; n <= count; n++) symbols.push(`SYM${String(n).padStart(4, '0')}`);
  return symbols;
}

/** The price that a symbol moves around, in cents: its usual one, or one derived from its name and `seed`. */
export function basePriceCents(symbol: string, seed: number): number {
  const known = BUILT_IN.get(symbol);
  return known ?? new SeededRandom(seed, fnv1aOfText(symbol)).between(BASE_CENTS_MIN, BASE_CENTS_MAX);
}
