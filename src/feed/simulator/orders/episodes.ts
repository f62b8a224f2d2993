/** Episodes of market abuse, planted into ordinary order flow with labels, to measure what surveillance finds. */
import type { SeededRandom } from '../seeded-random.js';
import type { Exchange } from './exchange.js';
import type { OrderFlow } from './order-flow.js';

const SECOND_MICROS = 1_000_000;
const MS_MICROS = 1_000;

/** Named as the detectors that should find them. */
export const EPISODE_KINDS = [
  'order_to_trade',
  'quote_stuffing',
  'layering',
  'wash_trades',
  'momentum_ignition',
] as const;
export type EpisodeKind = (typeof EPISODE_KINDS)[number];

/** What was planted. */
export interface EpisodeLabel {
  readonly kind: EpisodeKind;
  readonly symbol: string;
  readonly users: readonly string[];
  readonly fromMicros: number;
  readonly toMicros: number;
}

interface Step {
  readonly atMicros: number;
  readonly act: () => void;
}

interface Stage {
  readonly exchange: Exchange;
  readonly flow: OrderFlow;
  readonly random: SeededRandom;
  readonly startMicros: number;
  /** Distinguishes the users of this episode from all others. */
  readonly number: number;
  /** 1: as blatant as can be; towards 0: as few orders as nearly makes no difference. */
  readonly strength: number;
}

/** An episode: its label, and what happens when. */
export class Episode {
  readonly label: EpisodeLabel;
  readonly #steps: readonly Step[];
  #done = 0;

  constructor(kind: EpisodeKind, stage: Stage) {
    const { users, steps } = PLANS[kind](stage);
    this.#steps = steps.toSorted((a, b) => a.atMicros - b.atMicros);
    const toMicros = this.#steps.at(-1)?.atMicros ?? stage.startMicros;
    this.label = { kind, symbol: stage.exchange.symbol, users, fromMicros: stage.startMicros, toMicros };
  }

  get isOver(): boolean {
    return this.#done === this.#steps.length;
  }

  /** When its next step is due; undefined when it is over. */
  get dueMicros(): number | undefined {
    return this.#steps[this.#done]?.atMicros;
  }

  /** Does all that is due until then. */
  run(nowMicros: number): void {
    for (
      let step = this.#steps[this.#done];
      step !== undefined && step.atMicros <= nowMicros;
      step = this.#steps[this.#done]
    ) {
      this.#done++;
      step.act();
    }
  }
}

const WASH_TRADES = 8;
const WASH_ATTEMPTS = 30;

/** How many of `most` an episode of this strength has. */
const share = (most: number, { strength }: Stage): number => Math.max(1, Math.round(most * strength));

type Plan = (stage: Stage) => { readonly users: readonly string[]; readonly steps: readonly Step[] };

const PLANS: Readonly<Record<EpisodeKind, Plan>> = {
  /** Orders far from the market, moved again and again, none of which trades. */
  order_to_trade(stage) {
    const { exchange, flow, startMicros, number } = stage;
    const user = `order-spammer-${number}`;
    const steps = Array.from({ length: share(150, stage) }, (_, i) => ({
      atMicros: startMicros + i * 2 * SECOND_MICROS,
      act: () => {
        const id = exchange.submit({ user, side: 'buy', ticks: Math.max(1, flow.valueTicks - 60), lots: 100 });
        exchange.cancel(id);
      },
    }));
    return { users: [user], steps };
  },

  /** A burst of orders that live some 50 ms each. */
  quote_stuffing(stage) {
    const { exchange, flow, startMicros, number, random } = stage;
    const user = `stuffer-${number}`;
    // Within one second of the clock.
    const start = Math.ceil(startMicros / SECOND_MICROS) * SECOND_MICROS + 50 * MS_MICROS;
    const steps: Step[] = [];
    for (let i = 0; i < share(60, stage); i++) {
      let id = '';
      const at = start + i * 14 * MS_MICROS;
      steps.push({
        atMicros: at,
        act: () => {
          const ticks = Math.max(1, flow.valueTicks - 30 - random.below(20));
          id = exchange.submit({ user, side: 'buy', ticks, lots: 100 });
        },
      });
      steps.push({ atMicros: at + 50 * MS_MICROS, act: () => void exchange.cancel(id) });
    }
    return { users: [user], steps };
  },

  /** Large orders on one side, a small fill on the other, and the large ones are cancelled. */
  layering(stage) {
    const { exchange, flow, startMicros, number, random } = stage;
    const user = `layerer-${number}`;
    const isSelling = random.below(2) === 0;
    const [side, other] = isSelling ? (['sell', 'buy'] as const) : (['buy', 'sell'] as const);
    const ids: string[] = [];
    const steps: Step[] = [];
    const levels = share(5, stage);
    for (let level = 0; level < levels; level++) {
      steps.push({
        atMicros: startMicros + level * 100 * MS_MICROS,
        act: () => {
          const best = exchange.best(side) ?? flow.valueTicks;
          const ticks = Math.max(1, isSelling ? best + 2 + level : best - 2 - level);
          ids.push(exchange.submit({ user, side, ticks, lots: share(6_000, stage) }));
        },
      });
    }
    steps.push({
      atMicros: startMicros + 1.5 * SECOND_MICROS,
      act: () => {
        const best = exchange.best(side);
        if (best !== undefined) exchange.submit({ user, side: other, ticks: best, lots: 100, isImmediate: true });
      },
    });
    const end = startMicros + 3 * SECOND_MICROS;
    for (let level = 0; level < levels; level++) {
      steps.push({ atMicros: end + level * 20 * MS_MICROS, act: () => void exchange.cancel(ids[level] ?? '') });
    }
    return { users: [user], steps };
  },

  /** Two users buy and sell the same to each other, inside the spread. */
  wash_trades(stage) {
    const { exchange, startMicros, number } = stage;
    const users = [`washer-${number}a`, `washer-${number}b`] as const;
    let traded = 0;
    const trades = share(WASH_TRADES, stage);
    const steps = Array.from({ length: WASH_ATTEMPTS }, (_, i) => ({
      atMicros: startMicros + i * 10 * SECOND_MICROS,
      act: () => {
        const [bid, ask] = [exchange.best('buy'), exchange.best('sell')];
        // Without room between them, others would trade.
        if (traded === trades || bid === undefined || ask === undefined || ask - bid < 2) return;
        const [seller, buyer] = traded++ % 2 === 0 ? users : ([users[1], users[0]] as const);
        exchange.submit({ user: seller, side: 'sell', ticks: bid + 1, lots: 500 });
        exchange.submit({ user: buyer, side: 'buy', ticks: bid + 1, lots: 500, isImmediate: true });
      },
    }));
    return { users, steps };
  },

  /** Aggressive buying that others follow, and the position is sold to them. */
  momentum_ignition(stage) {
    const { exchange, flow, startMicros, number } = stage;
    const user = `igniter-${number}`;
    // Within one window of five seconds.
    const start = Math.ceil(startMicros / (5 * SECOND_MICROS)) * 5 * SECOND_MICROS + 300 * MS_MICROS;
    const steps: Step[] = [];
    for (let i = 0; i < share(20, stage); i++) {
      steps.push({
        atMicros: start + i * 220 * MS_MICROS,
        act: () => {
          flow.shift(6);
          const best = exchange.best('sell');
          if (best !== undefined)
            exchange.submit({ user, side: 'buy', ticks: best + 20, lots: 3_000, isImmediate: true });
        },
      });
    }
    for (let i = 0; i < share(20, stage); i++) {
      steps.push({
        atMicros: start + (8 + i * 1.5) * SECOND_MICROS,
        act: () => {
          const best = exchange.best('buy');
          const ticks = Math.max(1, (best ?? 1) - 20);
          if (best !== undefined) exchange.submit({ user, side: 'sell', ticks, lots: 3_000, isImmediate: true });
        },
      });
    }
    return { users: [user], steps };
  },
};
