/** What each kind of message costs the gateway's threads, and what it brings its sender. R40a. */

import { attackedGateway } from '../attack/gateway.js';
import type { Market } from '../attack/market.js';
import { Children } from '../harness/children.js';
import { startNatsWebSocket } from '../harness/nats-server.js';
import { newSecret } from '../harness/tokens.js';
import { count, fixed, percent } from '../report/figures.js';
import type { SuiteReport } from '../report/report.js';
import { median } from '../report/statistics.js';
import type { Suite, SuiteContext } from '../suite.js';
import { messageKinds } from './kinds.js';
import {
  bytesOutPerIn,
  costOf,
  isDear,
  type MessageCost,
  type MeterTimes,
  millisPerKilobyte,
  UNCHARGED_BYTES_OUT_PER_IN_MAX,
  UNCHARGED_MILLIS_PER_KB_MAX,
} from './meter.js';

interface CostSettings extends MeterTimes {
  readonly rounds: number;
  readonly market: Market;
  /** Part of a kind's name; undefined: all kinds. */
  readonly only: readonly string[] | undefined;
}

const FULL = { rounds: 3, seconds: 2, secondsMax: 20, market: { topics: 1024, trades: 19_000 } };
const QUICK = { rounds: 1, seconds: 0.5, secondsMax: 5, market: { topics: 256, trades: 4000 } };
/** Heartbeats of the topics that a kind subscribes to are not its cost. */
const QUIET_GATEWAY = { HEARTBEAT_INTERVAL: '30s' };

export const cost: Suite = {
  name: 'cost',
  summary: 'CPU and bytes of each kind of client message (R40a)',
  run: async context => {
    const { options } = context;
    const { secondsMax, market, ...defaults } = options.quick ? QUICK : FULL;
    const settings = {
      rounds: options.rounds ?? defaults.rounds,
      seconds: options.seconds ?? defaults.seconds,
      secondsMax,
      market,
      only: options.only,
    };
    return report(settings, await measureCosts(settings, context));
  },
};

/** By kind: one measurement a round, each round with a gateway of its own. */
export async function measureCosts(
  { rounds, market, only, ...times }: CostSettings,
  { progress, signal }: Pick<SuiteContext, 'progress' | 'signal'>,
): Promise<ReadonlyMap<string, readonly MessageCost[]>> {
  const isChosen = (name: string): boolean => only === undefined || only.some(part => name.includes(part));
  const kinds = messageKinds(market).filter(({ name }) => isChosen(name));
  const costs = new Map<string, MessageCost[]>(kinds.map(({ name }) => [name, []]));
  for (let round = 1; round <= rounds; round++) {
    const children = new Children(signal);
    try {
      const nats = await startNatsWebSocket(children);
      const secret = newSecret();
      const threads = { workers: '1', encoders: '1' };
      const contender = attackedGateway(secret, market, threads, QUIET_GATEWAY);
      const { child, port } = await contender.start(children, nats, { clients: 1, symbolsPerClient: 1, universe: 1 });
      for (const [index, kind] of kinds.entries()) {
        progress(`round ${round} of ${rounds}: ${kind.name}`);
        const measured = await child.during(costOf(kind, index, { port, pid: child.pid, secret }, times));
        costs.get(kind.name)?.push(measured);
      }
    } finally {
      await children.endAll();
    }
  }
  return costs;
}

/** Kinds that are not charged in any round and cost too much in each: one round may have met a pause of the machine. */
export function unchargedAndDear(costs: ReadonlyMap<string, readonly MessageCost[]>): string[] {
  return [...costs]
    .filter(([, rounds]) => rounds.every(round => !round.isCharged) && rounds.every(isDear))
    .map(([name, rounds]) => {
      const millis = median(rounds.map(millisPerKilobyte));
      const bytes = median(rounds.map(bytesOutPerIn));
      return `${name}: ${fixed(millis, 2)} ms per kB, ${fixed(bytes, 1)} bytes a byte`;
    });
}

function report(settings: CostSettings, costs: ReadonlyMap<string, readonly MessageCost[]>): SuiteReport {
  const dear = unchargedAndDear(costs);
  const { seconds, rounds, market } = settings;
  return {
    suite: 'cost',
    settings: { rounds, seconds, ...market },
    tables: [
      {
        title: `One client sends one kind of message as fast as it is allowed; median of ${rounds} rounds`,
        columns: [
          'message',
          'served',
          'charged',
          'bytes in',
          'bytes out',
          'out per in',
          'µs, all threads',
          'µs, busiest thread',
          'ms per kB, busiest',
          'of that thread',
        ],
        rows: [...costs].map(([name, measured]) => {
          const middle = (figure: (one: MessageCost) => number): number => median(measured.map(figure));
          return [
            name,
            count(middle(one => one.messages)),
            measured.some(one => one.isCharged) ? 'yes' : 'no',
            ...[count(middle(one => one.bytesIn)), count(middle(one => one.bytesOut)), fixed(middle(bytesOutPerIn), 2)],
            ...[count(middle(one => one.micros)), count(middle(one => one.busiestMicros))],
            ...[fixed(middle(millisPerKilobyte), 3), percent(middle(one => one.busiestShare))],
          ];
        }),
      },
    ],
    goals: [
      {
        row: 'R40a',
        text: `no message without a charge costs more than ${UNCHARGED_MILLIS_PER_KB_MAX} ms of any thread per kB sent or returns more than ${UNCHARGED_BYTES_OUT_PER_IN_MAX} bytes a byte${dear.length === 0 ? '' : `, but for ${dear.join('; ')}`}`,
        measured: dear.length,
        met: dear.length === 0,
      },
    ],
    metrics: [...costs].map(([name, measured]) => ({
      name: `CPU of ${name}`,
      unit: 'µs',
      better: 'lower',
      samples: measured.map(one => one.micros),
    })),
    notes: [
      'charged: the client was told to wait (`rate_limited`) or closed before the end; a message counts as 1 kB at least',
      'CPU time is that of the process less what it used just before or after, whichever is less, while the client was silent',
    ],
    rounds: [...costs.values()].flat(),
  };
}
