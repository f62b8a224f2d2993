/** What the suites that load a gateway in sessions have in common: sizes, times and who observes. */
import type { BenchOptions } from '../suite.js';
import type { LoadTimes } from './session.js';

/** A suite's own sizes. */
interface SessionDefaults extends LoadTimes {
  readonly rounds: number;
  readonly clients: number;
  /** Updates a second. */
  readonly rate: number;
}

/** Every client has all of these. */
const SYMBOLS = 5;
/** Clients whose latencies are reported, in a process of their own. */
const OBSERVERS = 32;

export function sessionSettings(options: BenchOptions, defaults: SessionDefaults) {
  const clients = options.clients ?? defaults.clients;
  return {
    rounds: options.rounds ?? defaults.rounds,
    clients,
    symbols: options.symbols ?? SYMBOLS,
    observers: Math.min(OBSERVERS, Math.ceil(clients / 4)),
    seconds: options.seconds ?? defaults.seconds,
    warmupSeconds: options.warmupSeconds ?? defaults.warmupSeconds,
    rate: options.rate ?? defaults.rate,
    workers: options.workers,
    encoders: options.encoders,
  };
}
