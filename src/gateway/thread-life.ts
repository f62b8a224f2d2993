/**
 * How a gateway thread ends. A thread that ends while uWS holds an open handle aborts the whole process. So every exit
 * path goes through here, where the App is closed first.
 */
import { LiveTokens } from '../auth/live-token.js';
import type { Config } from '../config/environment.js';
import { WallClock } from '../protocol/wall-clock.js';
import { JournalOutlet } from '../threads/journal-outlet.js';
import type { FromWorker, GatewayThreadData } from '../threads/thread-messages.js';
import type { WorkerStats } from '../threads/worker-stats.js';
import { Corking } from './edge/corking.js';
import { Apps } from './edge/listener.js';
import { TrustedProxies } from './edge/trusted-proxies.js';
import { type PendingSockets, pendingSocketsOf } from './limits/pending-sockets.js';
import { ConnectionIds } from './model/connection-ids.js';
import { ClientLog } from './supervision/client-log.js';

export type WorkerThreadData = GatewayThreadData & { readonly config: Config };

export class ThreadLife {
  readonly data: WorkerThreadData;
  readonly post: (message: FromWorker) => void;
  readonly pending: PendingSockets;
  readonly proxies: TrustedProxies;
  readonly apps: Apps;
  readonly corking = new Corking();
  readonly log: ClientLog;
  readonly live: LiveTokens;
  /** The time of day, also of what the journal records. */
  readonly clock = new WallClock();
  /** Undefined: there is no journal. */
  readonly journal: JournalOutlet | undefined;
  /** Set once there is something to count. */
  stats: (() => WorkerStats) | undefined;
  #isEnding = false;

  constructor(data: WorkerThreadData, post: (message: FromWorker) => void) {
    this.data = data;
    this.post = post;
    this.live = new LiveTokens(data.liveSecret);
    this.pending = pendingSocketsOf(data, data.config);
    this.log = new ClientLog({
      ids: new ConnectionIds(),
      settings: data.config,
      post,
      nowMs: () => performance.now(),
    });
    this.journal = data.journal && new JournalOutlet(data.journal, data.worker, () => this.clock.nowMicros());
    this.proxies = new TrustedProxies(data.config.trustedProxies);
    this.apps = new Apps(data.config.tls, this.pending, this.proxies);
  }

  get isEnding(): boolean {
    return this.#isEnding;
  }

  finish(exitCode: number): void {
    if (this.#isEnding) return;
    this.#close();
    // Not at once: messages posted to the main thread still have to go out.
    setImmediate(() => process.exit(exitCode));
  }

  /** An exception was not caught: the thread ends, and the supervisor starts another. */
  failed(cause: Error): void {
    this.post({ type: 'failed', message: cause.stack ?? cause.message, stats: this.stats?.() });
    this.finish(1);
  }

  /** The supervisor gives the thread up, and terminates it once this returns. */
  abandon(): void {
    if (this.#isEnding) return;
    this.post({ type: 'abandoned', stats: this.stats?.() });
    this.#close();
  }

  /** Something unexpected happened; the thread keeps running. */
  readonly fault = (what: string, cause: unknown): void => {
    const detail = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
    this.post({ type: 'fault', message: `${what}: ${detail}` });
  };

  #close(): void {
    this.#isEnding = true;
    this.apps.close();
    this.corking.close();
    // Closing the App has ended the connections that were left.
    this.log.flush();
    this.journal?.close();
  }
}
