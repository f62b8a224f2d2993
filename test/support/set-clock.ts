/** A system clock of its own for the programs that a test starts, which the test can set while they run. */
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { faketimeLibrary } from './programs.js';

export class SetClock {
  /** For the environment of the programs. Their monotonic clock is the machine's. */
  readonly env: Readonly<Record<string, string>>;
  readonly #folder: string;
  #steps = 0;

  private constructor(folder: string) {
    this.#folder = folder;
    this.env = {
      LD_PRELOAD: faketimeLibrary(),
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
  }

  static async create(): Promise<SetClock> {
    const clock = new SetClock(await mkdtemp(join(tmpdir(), 'millrace-clock-')));
    await clock.set(0);
    return clock;
  }

  /** Sets the clock to the machine's time and this many seconds. */
  async set(aheadS: number): Promise<void> {
    // Renamed into place, as the programs read it whenever they ask for the time.
    const next = join(this.#folder, `step-${++this.#steps}`);
    await writeFile(next, aheadS < 0 ? String(aheadS) : `+${aheadS}`);
    await rename(next, this.#file);
  }

  /** After the programs have ended. */
  remove(): Promise<void> {
    return rm(this.#folder, { recursive: true, force: true });
  }

  get #file(): string {
    return join(this.#folder, 'now');
  }
}
