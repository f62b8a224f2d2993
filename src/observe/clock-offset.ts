/**
 * How far the clock of this machine is off, as chrony tells. Times that a gateway writes are as good as this. Without
 * chrony nothing is known.
 */
import { execFile } from 'node:child_process';

const CHECK_INTERVAL_MS = 60_000;
const ANSWER_MAX_MS = 5_000;
const ANSWER_BYTES_MAX = 4 * 1024;
/** Members of a line of `chronyc -c tracking`. */
const SYSTEM_TIME = 4;
const ROOT_DELAY = 10;
const ROOT_DISPERSION = 11;
const LEAP_STATUS = 13;
const UNSYNCHRONISED = 'Not synchronised';

/** What chrony knows, in seconds. */
export interface ClockReading {
  /** How far the clock is ahead of true time; negative: behind. */
  readonly offsetSeconds: number;
  /** Upper bound of its error: the offset, half of the delay to the reference clock, and the dispersion. */
  readonly errorSeconds: number;
}

/** Resolves with the output of a command. @throws {Error} if it does not run, fails or takes too long */
type Run = (file: string, args: readonly string[]) => Promise<string>;

export class ClockOffset {
  readonly #run: Run;
  #current: ClockReading | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param run for tests */
  constructor(run: Run = runProgram) {
    this.#run = run;
  }

  /** As of the last check; undefined while nothing is known. */
  get current(): ClockReading | undefined {
    return this.#current;
  }

  /** Checks now, then each minute. */
  start(): void {
    this.#timer = setInterval(() => void this.check(), CHECK_INTERVAL_MS).unref();
    void this.check();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Asks chrony. Never rejects. */
  async check(): Promise<void> {
    this.#current = await this.#run('chronyc', ['-c', 'tracking']).then(readingOf, () => undefined);
  }
}

/** Undefined where chrony follows no clock, or the line is not one that it writes. */
export function readingOf(line: string): ClockReading | undefined {
  const members = line.trim().split(',');
  // chrony counts what it still has to correct: positive where the clock is behind.
  const offsetSeconds = -Number(members[SYSTEM_TIME]);
  const errorSeconds = Math.abs(offsetSeconds) + Number(members[ROOT_DELAY]) / 2 + Number(members[ROOT_DISPERSION]);
  const isKnown = members[LEAP_STATUS] !== undefined && members[LEAP_STATUS] !== UNSYNCHRONISED;
  return isKnown && Number.isFinite(errorSeconds) ? { offsetSeconds, errorSeconds } : undefined;
}

function runProgram(file: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { timeout: ANSWER_MAX_MS, maxBuffer: ANSWER_BYTES_MAX };
    const child = execFile(file, args, options, (error, stdout) => {
      if (error === null) resolve(stdout);
      else reject(error);
    });
    // The end of the process does not wait for it.
    child.unref();
  });
}
