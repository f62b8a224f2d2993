/** What makes latencies doubtful is said, never left to be found. */
import { GENERATOR_BOUND_UTILISATION } from '../load/load-generator.js';
import type { LoadResult } from './session.js';

/** A share of the p99 that the observing process may add to it. */
const OWN_DELAY_SHARE_MAX = 0.1;
const OBSERVER_UTILISATION_MAX = 0.5;
const RATE_SHARE_MIN = 0.98;
const LATENESS_P99_MICROS_MAX = 1000;
const CLOCK_DISAGREEMENT_MICROS_MAX = 100;
const OTHER_LOAD_NOTED = 0.25;

type Named = LoadResult & { readonly contender: string; readonly round: number; readonly load?: string };

export function doubtsOf(rounds: readonly Named[]): string[] {
  const notes: string[] = [];
  const add = (condition: (round: Named) => boolean, text: string): void => {
    const found = rounds.filter(condition);
    if (found.length > 0) notes.push(`${text}: ${placesOf(found).join(', ')}`);
  };
  add(
    ({ observers: { latency, loopUtilisation } }) =>
      loopUtilisation > OBSERVER_UTILISATION_MAX || latency.readDelay.p99 > latency.total.p99 * OWN_DELAY_SHARE_MAX,
    'the observing process was busy enough to add to what it measured',
  );
  add(
    r => r.bulk.loopUtilisation > GENERATOR_BOUND_UTILISATION,
    'the bulk of the clients may have been the limit of the system',
  );
  add(r => r.publishedPerSecond < r.updatesPerSecond * RATE_SHARE_MIN, 'the publisher did not reach the rate');
  add(r => r.lateness.p99 > LATENESS_P99_MICROS_MAX, 'the publisher was late by more than 1 ms (p99)');
  add(r => r.observers.latency.fromServer.min < -CLOCK_DISAGREEMENT_MICROS_MAX, 'clocks disagree (negative stage)');
  add(({ clockOffsetsMicros }) => {
    const offsets = Object.values(clockOffsetsMicros);
    return Math.max(...offsets) - Math.min(...offsets) > CLOCK_DISAGREEMENT_MICROS_MAX;
  }, `clocks of the benchmark's processes are more than ${CLOCK_DISAGREEMENT_MICROS_MAX} µs apart`);
  add(r => !r.keptUp, 'the server did not keep up, so that its latencies are those of its queue');
  add(r => r.keptUp && r.missing > 0, 'deliveries are missing');
  add(r => r.surplus > 0, 'more deliveries than were owed');
  add(r => r.lostConnections > 0, 'connections were lost');
  add(r => r.otherLoad > OTHER_LOAD_NOTED, `other work took more than ${OTHER_LOAD_NOTED} of a core`);
  return notes;
}

/** `millrace at fixed (1, 4)`: by contender and load, in which rounds. */
function placesOf(rounds: readonly Named[]): string[] {
  const places = new Map<string, number[]>();
  for (const { contender, round, load } of rounds) {
    const place = load === undefined ? contender : `${contender} at ${load}`;
    places.set(place, [...(places.get(place) ?? []), round]);
  }
  return [...places].map(([place, numbers]) => `${place} (${numbers.join(', ')})`);
}
