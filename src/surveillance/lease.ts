/**
 * One of several gateways watches the market: whoever holds the lease, an entry of a key-value bucket that its holder
 * writes again and again. Others measure by their own clocks how long it stays unchanged, so that no two clocks need to
 * agree.
 */
export const RENEW_MS = 1_000;
/** Without a renewal for this long, the holder stops by itself: before another one starts. */
export const GIVE_UP_MS = 3_000;
/** An entry that stays unchanged for this long has lost its holder. */
export const EXPIRE_MS = 4_000;
const KEY = 'holder';

/** A key-value bucket, as far as a lease needs it (fix/store/entries.ts). */
export interface LeaseEntries {
  /** @throws {Error} if it cannot be read */
  read(key: string): Promise<{ readonly text: string; readonly revision: number } | undefined>;
  /** @returns undefined if another gateway has written it since. @throws {Error} if it cannot be written */
  write(key: string, text: string, revision: number | undefined): Promise<number | undefined>;
}

interface LeaseOptions {
  readonly entries: LeaseEntries;
  /** Names this run of this gateway. */
  readonly holder: string;
  /** A monotonic clock. */
  readonly nowMs: () => number;
  readonly onHeld: () => void;
  /** @param holder who has it now; '' if that is not known */
  readonly onStandby: (holder: string) => void;
  readonly onUnavailable: (cause: unknown) => void;
}

export class Lease {
  readonly #options: LeaseOptions;
  #isHeld = false;
  #isClosed = false;
  /** Of the entry that this gateway has written. */
  #revision: number | undefined;
  /** Another gateway's entry, and since when it has been unchanged. */
  #seen: { readonly revision: number; readonly sinceMs: number } | undefined;
  /** When the last renewal that counts was sent. */
  #heldSinceMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #givingUp: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: LeaseOptions) {
    this.#options = options;
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** It is held no longer, even if no timer has said so yet: the process may have been stopped for a while. */
  get isExpired(): boolean {
    return this.#isHeld && this.#options.nowMs() - this.#heldSinceMs >= GIVE_UP_MS;
  }

  start(): void {
    this.#running = this.#turn();
  }

  /** Gives the lease back, so that another gateway takes it at once. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#running;
    clearTimeout(this.#givingUp);
    if (!this.#isHeld) return;
    this.#isHeld = false;
    // Without an answer it expires by itself.
    await this.#options.entries.write(KEY, '', this.#revision).catch(() => undefined);
  }

  async #turn(): Promise<void> {
    try {
      if (this.#isHeld) await this.#renew();
      else await this.#tryToTake();
    } catch (cause) {
      this.#options.onUnavailable(cause);
    }
    if (!this.#isClosed) this.#timer = setTimeout(() => this.start(), RENEW_MS);
  }

  async #renew(): Promise<void> {
    const startedMs = this.#options.nowMs();
    const revision = await this.#options.entries.write(KEY, this.#options.holder, this.#revision);
    // It may have given up while it waited for the answer.
    if (!this.#isHeld) return;
    if (revision === undefined) this.#lost();
    else this.#hold(revision, startedMs);
  }

  async #tryToTake(): Promise<void> {
    const { entries, holder, nowMs, onHeld, onStandby } = this.#options;
    const entry = await entries.read(KEY);
    const isFree = entry === undefined || entry.text === '';
    if (!isFree && this.#seen?.revision !== entry.revision) {
      this.#seen = { revision: entry.revision, sinceMs: nowMs() };
    }
    const isExpired = this.#seen !== undefined && nowMs() - this.#seen.sinceMs >= EXPIRE_MS;
    if (!isFree && !isExpired) {
      onStandby(entry.text);
      return;
    }
    const startedMs = nowMs();
    const revision = this.#isClosed ? undefined : await entries.write(KEY, holder, entry?.revision);
    if (revision === undefined) return;
    this.#hold(revision, startedMs);
    onHeld();
  }

  /** @param startedMs when the renewal was sent: it counts from then on, because others count from about then */
  #hold(revision: number, startedMs: number): void {
    this.#isHeld = true;
    this.#seen = undefined;
    this.#revision = revision;
    this.#heldSinceMs = startedMs;
    clearTimeout(this.#givingUp);
    const leftMs = GIVE_UP_MS - (this.#options.nowMs() - startedMs);
    this.#givingUp = setTimeout(() => this.#lost(), Math.max(0, leftMs));
  }

  #lost(): void {
    clearTimeout(this.#givingUp);
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#options.onStandby('');
  }
}
