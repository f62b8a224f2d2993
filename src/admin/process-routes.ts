/** The process: statistics, history, threads, feed, settings. */
import { z } from 'zod';
import { effectiveSettings } from '../config/effective.js';
import { loadOf } from '../protocol/load.js';
import { SOURCE_KINDS } from '../protocol/topics.js';
import type { LoadSample } from '../threads/admin-messages.js';
import { json } from './answers.js';
import { type ApiParts, gatewayThreadName, namesOf } from './api.js';
import { HISTORY_INTERVAL_MS } from './history.js';
import { journalAnswer } from './journal-answer.js';
import openApi from './openapi.json' with { type: 'json' };
import { type Route, read } from './route.js';
import { statsAnswer } from './stats-answer.js';

const DIGITS = /^\d{1,16}$/;

const since = z
  .string()
  .transform(text => (DIGITS.test(text) ? Number(text) : Date.parse(text)))
  .refine(ms => !Number.isNaN(ms), 'must be RFC 3339, or ms since the Unix epoch')
  .optional();

export function processRoutes(parts: ApiParts): Route[] {
  return [
    read('/stats', {}, async () => json(await statsAnswer(parts))),
    read('/history', { query: z.strictObject({ since }) }, ({ query }) =>
      json({ interval_ms: HISTORY_INTERVAL_MS, samples: parts.history.since(query.since ?? 0) }),
    ),
    read('/threads', {}, () => json(threads(parts))),
    read('/feed', {}, () => json(feed(parts))),
    read('/alerts', {}, () => json(alerts(parts))),
    read('/journal', {}, () => json(journalAnswer(parts.parts()))),
    read('/config', {}, () => json({ settings: effectiveSettings(parts.settings(), parts.config()) })),
    read('/openapi.json', {}, () => json(openApi)),
  ];
}

interface ThreadRow {
  readonly name: string;
  readonly kind: 'main' | 'gateway' | 'encoder';
  readonly index: number;
  readonly state: 'running' | 'starting' | 'stuck' | 'crash_loop' | 'silent';
  readonly utilisation: number | null;
  readonly restarts: number | null;
  readonly connections: number | null;
  readonly views: number | null;
  readonly loop_delay_ms: number | null;
  readonly frame_age_ms: number | null;
  readonly buffered_bytes: number | null;
  readonly queued_bytes: number | null;
  readonly load_level: number | null;
}

/** What a thread of another kind has, and this one has not. */
const NOTHING = {
  restarts: null,
  connections: null,
  views: null,
  loop_delay_ms: null,
  frame_age_ms: null,
  buffered_bytes: null,
  queued_bytes: null,
  load_level: null,
} as const;

function threads({ parts, history }: ApiParts): { threads: readonly ThreadRow[]; silent_threads: readonly string[] } {
  const { hub, workers, loads } = parts();
  const { loads: samples, utilisation } = history;
  const silent = samples.flatMap((sample, worker) => (sample === undefined ? [worker] : []));
  const main: ThreadRow = {
    ...NOTHING,
    name: 'main',
    kind: 'main',
    index: 0,
    state: 'running',
    utilisation: utilisation.main,
  };
  const gateways = samples.map((sample, index): ThreadRow => {
    const state = workers.stateOf(index);
    return {
      ...NOTHING,
      ...numbersOf(sample),
      name: gatewayThreadName(index),
      kind: 'gateway',
      index,
      state: state === 'running' && sample === undefined ? 'silent' : state,
      restarts: workers.restarts,
      load_level: loads.levelOf(index),
    };
  });
  const encoders = hub.shards.map(
    (shard): ThreadRow => ({
      ...NOTHING,
      name: `encoder-${shard.index}`,
      kind: 'encoder',
      index: shard.index,
      state: shard.watch.isStuck ? 'stuck' : shard.isCrashLoop ? 'crash_loop' : 'running',
      utilisation: utilisation.encoders[shard.index] ?? null,
      restarts: shard.restarts,
      queued_bytes: shard.queuedBytes,
    }),
  );
  return { threads: [main, ...gateways, ...encoders], silent_threads: namesOf(silent) };
}

function numbersOf(sample: LoadSample | undefined) {
  if (sample === undefined) return { utilisation: null };
  const { utilisation, open, views, loopDelayMs, frameAgeMs, bufferedBytes } = sample;
  return {
    utilisation: Math.round(utilisation * 1000) / 1000,
    connections: open,
    views,
    loop_delay_ms: Math.round(loopDelayMs * 10) / 10,
    frame_age_ms: Math.round(frameAgeMs * 10) / 10,
    buffered_bytes: bufferedBytes,
  };
}

function feed({ parts }: ApiParts): object {
  const { hub, feed: source, status, loads } = parts();
  const { counters, holds, silentMs, subjects } = hub;
  const { health, stats } = source;
  return {
    name: source.name,
    status: status.current.feed,
    since: status.current.since,
    load: loadOf(loads.level),
    silent_ms: silentMs === undefined ? null : Math.round(silentMs),
    messages: counters.messages,
    bytes: SOURCE_KINDS.reduce((total, kind) => total + counters.kinds[kind].bytes, 0),
    duplicates: counters.duplicates,
    gaps: counters.gaps,
    rejected: Object.fromEntries(counters.rejected),
    stale: Object.fromEntries(holds.current),
    errors: Object.fromEntries(health?.errors ?? []),
    round_trip_ms: health?.roundTripMs ?? null,
    queued_bytes: health?.queuedBytes ?? null,
    upstreams: (stats?.upstreams ?? []).map(({ name, isLive, silentMs: upstreamSilentMs }) => ({
      name,
      active: name === stats?.active,
      live: isLive,
      silent_ms: upstreamSilentMs ?? null,
    })),
    failovers: stats?.failovers ?? 0,
    symbols: subjects,
  };
}

function alerts({ parts }: ApiParts): object {
  const { surveillance } = parts();
  const { state = 'off', detail = '', counters, dropped = 0, alerts: found = [] } = surveillance ?? {};
  return {
    state,
    detail,
    events: counters?.events ?? 0,
    dropped: dropped + (counters?.dropped ?? 0),
    lag_ms: Math.round(counters?.lagMs ?? 0),
    alerts: found,
  };
}
