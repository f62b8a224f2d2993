/** Scale-out: a hundred thousand connections on one machine, to several gateway processes that one NATS joins. R54. */
import type { Goal, SuiteReport } from '../report/report.js';
import { type Suite, type SuiteContext, UsageError } from '../suite.js';
import { runScaleRound, type ScaleRound } from './round.js';
import { notesOf, planOf, scaleTable, timesOf } from './suite.js';

/** Once a second, 100,000 connections' heartbeats alone would be more writes than two cores can make. */
const HEARTBEATS = { heartbeatInterval: '60s' };
const FULL = {
  ...{ ...HEARTBEATS, rounds: 1, clients: 100_000, gateways: 6 },
  ...{ connectsPerSecond: 1000, intervalSeconds: 8, bursts: 3 },
};
const QUICK = {
  ...HEARTBEATS,
  rounds: 1,
  clients: 200,
  gateways: 2,
  connectsPerSecond: 400,
  intervalSeconds: 0.5,
  bursts: 2,
};
/** A process here may open 20,000 files; some are not sockets of clients. */
const CONNECTIONS_PER_PROCESS_MAX = 19_000;

export const scaleOut: Suite = {
  name: 'scale-out',
  summary: '100,000 connections, several gateways (R54)',
  run: runScaleOut,
};

async function runScaleOut({ options, progress, signal }: SuiteContext): Promise<SuiteReport> {
  const defaults = options.quick ? QUICK : FULL;
  const rounds = options.rounds ?? defaults.rounds;
  const gateways = options.gateways ?? defaults.gateways;
  const plan = planOf(options, gateways, options.clients ?? defaults.clients, defaults);
  if (plan.clientsPerGateway > CONNECTIONS_PER_PROCESS_MAX) {
    const most = CONNECTIONS_PER_PROCESS_MAX;
    throw new UsageError(`${plan.clientsPerGateway} connections a process: at most ${most}; use more --gateways`);
  }
  const times = timesOf(options, defaults);
  const results: ScaleRound[] = [];
  for (let round = 1; round <= rounds; round++) {
    results.push(await runScaleRound(round, plan, times, progress, signal));
  }
  return {
    suite: 'scale-out',
    settings: { ...plan, ...times, rounds },
    tables: [scaleTable(plan, results)],
    goals: [goalOf(plan.gateways * plan.clientsPerGateway, results)],
    metrics: [
      { name: 'memory a connection', unit: 'B', better: 'lower', samples: results.map(r => r.userBytesPerConnection) },
      { name: 'latency p95', unit: 'ms', better: 'lower', samples: results.map(r => r.latency.p95 / 1000) },
    ],
    notes: notesOf(results),
    rounds: results,
  };
}

function goalOf(connections: number, results: readonly ScaleRound[]): Goal {
  const failed = results.filter(r => r.missing !== 0 || r.lostConnections !== 0 || r.deliveries === 0);
  return {
    row: 'R54',
    text: `${connections} connections, each receives all that it is owed: ${results.length - failed.length} of ${results.length} rounds`,
    measured: connections,
    met: failed.length === 0,
  };
}
