/** A book rebuilt from W and X as a FIX client does it: W replaces it, X changes levels by price. */
import { fieldsOf } from './fix-wire.js';

export class FixClientBook {
  readonly bids = new Map<string, string>();
  readonly offers = new Map<string, string>();
  /** Positions of the last message, from the user tags. */
  seq = 0;
  wholes = 0;

  /** @param message readable: `8=FIX.4.4|…` */
  take(message: string): void {
    const fields = fieldsOf(message);
    const isWhole = fields.some(([tag, value]) => tag === 35 && value === 'W');
    if (isWhole) {
      this.wholes++;
      this.bids.clear();
      this.offers.clear();
    }
    const first = isWhole ? 269 : 279;
    let entry: Record<number, string> = {};
    const end = () => {
      const side = entry[269] === '0' ? this.bids : entry[269] === '1' ? this.offers : undefined;
      if (side === undefined) return;
      if (entry[279] === '2') side.delete(entry[270] ?? '');
      else side.set(entry[270] ?? '', entry[271] ?? '');
    };
    for (const [tag, value] of fields) {
      if (tag === first) {
        end();
        entry = {};
      }
      entry[tag] = value;
      if (tag === 20_003) this.seq = Number(value);
    }
    end();
  }

  /** Sorted, best first. */
  get levels(): { bids: [string, string][]; offers: [string, string][] } {
    const sorted = (side: Map<string, string>, sign: number) =>
      [...side].sort(([a], [b]) => (Number(a) - Number(b)) * sign);
    return { bids: sorted(this.bids, -1), offers: sorted(this.offers, 1) };
  }
}
