/**
 * Whether the system clock can be believed when records are to be removed: what is removed does not come back. The clock must agree
 * with the monotonic clock since the last time that was believed; after a restart, with the time that is noted in the folder.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { replaceSharedFile } from './shared-file.js';

const NOTE = 'retention.json';
const MICROS_PER_MS = 1000;
const HOUR_MICROS = 3_600_000_000;
/** How far the clock may get ahead of the monotonic one, which stands still while a machine sleeps. */
const AHEAD_MICROS_MAX = 24 * HOUR_MICROS;
/** How long a gateway may have been off: afterwards, only the clock tells how much time has passed. */
const OFF_MICROS_MAX = 7 * 24 * HOUR_MICROS;

/** Clocks in µs: time of day since the Unix epoch, and one that cannot be set. */
interface Clocks {
  readonly nowMicros: () => number;
  readonly monotonicMicros: () => number;
}

/** A time of day that was believed. */
interface Believed {
  readonly micros: number;
  /** On the monotonic clock. */
  readonly at: number;
  readonly aheadMicrosMax: number;
}

export class TrustedTime {
  readonly #path: string;
  readonly #clocks: Clocks;
  #believed: Believed | undefined;

  /** @param folder of the journal */
  constructor(folder: string, clocks: Clocks) {
    this.#path = join(folder, NOTE);
    this.#clocks = clocks;
  }

  /**
   * @returns the time of day, µs
   * @throws {Error} when the clock is further ahead than it can be, until it is set right or an operator removes the note
   */
  now(): number {
    const now = this.#clocks.nowMicros();
    const at = this.#clocks.monotonicMicros();
    const noted = this.#noted();
    // Removing the note means: believe the clock.
    const before =
      noted === undefined ? undefined : (this.#believed ?? { micros: noted, at, aheadMicrosMax: OFF_MICROS_MAX });
    const expected = before === undefined ? now : before.micros + at - before.at;
    if (before !== undefined && now > expected + before.aheadMicrosMax) {
      throw new Error(
        `nothing is removed: the clock says ${timeText(now)}, but it should be about ${timeText(expected)}; ` +
          `set the clock, or remove ${this.#path} if it is right`,
      );
    }
    // A clock that was set back may be wrong.
    this.#believed = { micros: Math.max(now, expected), at, aheadMicrosMax: AHEAD_MICROS_MAX };
    this.#note(this.#believed.micros);
    return now;
  }

  /** @throws {Error} when the note is damaged: then no time can be believed */
  #noted(): number | undefined {
    let text: string;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw cause;
    }
    const ms = Date.parse(/^\{"time":"([^"]+)"\}$/.exec(text.trim())?.[1] ?? '');
    if (Number.isNaN(ms))
      throw new Error(`nothing is removed: ${this.#path} is damaged; remove it if the clock is right`);
    return ms * MICROS_PER_MS;
  }

  #note(micros: number): void {
    replaceSharedFile(this.#path, `${JSON.stringify({ time: timeText(micros) })}\n`);
  }
}

const timeText = (micros: number): string => new Date(micros / MICROS_PER_MS).toISOString();
