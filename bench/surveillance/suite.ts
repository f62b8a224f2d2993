/** What surveillance finds of planted episodes, what it reports besides, and what it costs. R72. */
import { EPISODE_KINDS } from '../../src/feed/simulator/orders/episodes.js';
import { SeededRandom } from '../../src/feed/simulator/seeded-random.js';
import { type Score, scoresOf } from '../../src/surveillance/score.js';
import { count, fixed, percent } from '../report/figures.js';
import type { SuiteReport } from '../report/report.js';
import type { Suite } from '../suite.js';
import { CLIENT_KINDS, WatchedClients } from './watched-clients.js';
import { WatchedMarket } from './watched-market.js';

const FULL = { seeds: 50, quietSeconds: 3600 };
const QUICK = { seeds: 5, quietSeconds: 600 };
/** What detectors need to know of a market before the first episode. */
const WARM_UP_SECONDS = 600;
/** Each episode is over within this time. */
const EPISODE_SECONDS = 420;
const CLIENT_SECONDS = 180;
/** The weakest episode: well below every threshold. */
const STRENGTH_MIN = 0.3;
const STRENGTHS = ['blatant', 'mixed'] as const;

type Strength = (typeof STRENGTHS)[number];

type Outcome = { -readonly [Name in Exclude<keyof Score, 'detector'>]: number };

export const surveillance: Suite = {
  name: 'surveillance',
  summary: 'precision and recall of the detectors over seeded markets, and their cost (R72)',
  run: async ({ options, progress }) => {
    const { seeds, quietSeconds } = options.quick ? QUICK : FULL;
    const outcomes = new Map<string, Outcome>();
    const cost = { events: 0, ms: 0 };
    let quietAlerts = 0;
    for (let seed = 1; seed <= seeds; seed++) {
      progress(`seed ${seed} of ${seeds}`);
      for (const strength of STRENGTHS) {
        judge(planted(seed, strength, cost), strength, outcomes);
        judge(misbehaving(seed, strength), strength, outcomes);
      }
      quietAlerts += quiet(seed, quietSeconds, cost);
    }
    return report({ seeds, quietSeconds }, outcomes, quietAlerts, cost);
  },
};

/** One market with an episode of each kind. */
function planted(seed: number, strength: Strength, cost: Cost): WatchedMarket {
  const market = new WatchedMarket(seed);
  const random = new SeededRandom(seed, 1);
  market.run(WARM_UP_SECONDS);
  for (const kind of EPISODE_KINDS) {
    market.plant(kind, 5, strengthOf(strength, random));
    market.run(EPISODE_SECONDS);
  }
  add(cost, market);
  return market;
}

/** A gateway with a client that misbehaves in each way. */
function misbehaving(seed: number, strength: Strength): WatchedClients {
  const clients = new WatchedClients(seed);
  const random = new SeededRandom(seed, 3);
  clients.run(WARM_UP_SECONDS);
  for (const kind of CLIENT_KINDS) clients.plant(kind, strengthOf(strength, random));
  clients.run(CLIENT_SECONDS);
  return clients;
}

const strengthOf = (strength: Strength, random: SeededRandom): number =>
  strength === 'blatant' ? 1 : STRENGTH_MIN + (1 - STRENGTH_MIN) * random.fraction();

/** @returns alerts about ordinary flow */
function quiet(seed: number, seconds: number, cost: Cost): number {
  const market = new WatchedMarket(seed + 1_000_000);
  market.run(seconds);
  add(cost, market);
  const clients = new WatchedClients(seed + 1_000_000);
  clients.run(seconds);
  return market.alerts.length + clients.alerts.length;
}

interface Cost {
  events: number;
  ms: number;
}

function add(cost: Cost, { orders, trades, watchingMs }: WatchedMarket): void {
  cost.events += orders + trades;
  cost.ms += watchingMs;
}

function judge(
  { labels, alerts }: Pick<WatchedClients, 'labels' | 'alerts'>,
  strength: Strength,
  outcomes: Map<string, Outcome>,
): void {
  for (const { detector, ...score } of scoresOf(labels, alerts)) {
    const key = `${detector} ${strength}`;
    const outcome = outcomes.get(key) ?? { planted: 0, found: 0, right: 0, wrong: 0 };
    outcomes.set(key, outcome);
    for (const name of ['planted', 'found', 'right', 'wrong'] as const) outcome[name] += score[name];
  }
}

function report(
  settings: { seeds: number; quietSeconds: number },
  outcomes: ReadonlyMap<string, Outcome>,
  quietAlerts: number,
  { events, ms }: Cost,
): SuiteReport {
  const rows = [...EPISODE_KINDS, ...CLIENT_KINDS].flatMap(kind =>
    STRENGTHS.map(strength => {
      const { planted = 0, found = 0, right = 0, wrong = 0 } = outcomes.get(`${kind} ${strength}`) ?? {};
      return { kind, strength, planted, found, recall: found / planted, precision: right / (right + wrong), wrong };
    }),
  );
  const microsPerEvent = (ms * 1000) / events;
  const missed = rows.filter(({ strength, recall }) => strength === 'blatant' && recall < 0.9).length;
  return {
    suite: 'surveillance',
    settings: { ...settings },
    tables: [
      {
        title: `One symbol and 200 clients, ${settings.seeds} seeds, an episode of each kind; ${count(events)} orders and trades in all`,
        columns: ['detector', 'episodes', 'planted', 'found', 'recall', 'precision', 'wrong alerts'],
        rows: rows.map(({ kind, strength, planted, found, recall, precision, wrong }) => [
          kind,
          strength,
          count(planted),
          count(found),
          percent(recall),
          percent(precision),
          count(wrong),
        ]),
      },
      {
        title: 'Ordinary flow and cost',
        columns: ['alerts in ordinary flow', 'hours of it', 'µs per order or trade'],
        rows: [
          [count(quietAlerts), fixed((settings.seeds * settings.quietSeconds) / 3600, 1), fixed(microsPerEvent, 2)],
        ],
      },
    ],
    goals: [
      { row: 'R72', text: 'no alert in ordinary flow', measured: quietAlerts, met: quietAlerts === 0 },
      {
        row: 'R72',
        text: 'each detector finds at least 90 % of blatant episodes',
        measured: missed,
        met: missed === 0,
      },
    ],
    metrics: [{ name: 'watching', unit: 'µs per event', better: 'lower', samples: [microsPerEvent] }],
    notes: [
      'blatant: the pattern at full strength; mixed: between that and a third of it, where many episodes stay below every threshold on purpose',
      'an alert is right when it names the pattern and its users, and no others',
    ],
    rounds: rows,
  };
}
