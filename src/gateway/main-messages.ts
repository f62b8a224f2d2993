/**
 * Messages from the main thread to a gateway thread: news from the hub, answers to requests, and when to listen and
 * leave.
 */
import type { Config } from '../config/environment.js';
import { CloseCode } from '../protocol/close-code.js';
import type { JournalOutlet } from '../threads/journal-outlet.js';
import type { FromWorker, RevocationRecord, ToWorker } from '../threads/thread-messages.js';
import type { WorkerStats } from '../threads/worker-stats.js';
import type { RoomPublishing } from './commands/room-publishing.js';
import type { SymbolLookup } from './commands/symbol-lookup.js';
import type { TopicCommands } from './commands/topic-commands.js';
import type { Apps } from './edge/listener.js';
import type { GatewayServer } from './edge/server.js';
import type { Session, View } from './model/session.js';
import type { OperatorAnswers } from './operators/answers.js';
import type { Reloading } from './reloading.js';
import type { FeedStatusFrame } from './sending/feed-status.js';
import type { Access } from './sessions/access.js';
import type { Credentials } from './sessions/credentials.js';
import type { SimultaneousUse } from './sessions/simultaneous-use.js';
import type { UserSlots } from './sessions/user-slots.js';
import type { Subscriptions } from './subscriptions/subscriptions.js';
import type { Views } from './views/views.js';

/** How long sockets have to read their close frame before the App is closed. */
const CLOSE_GRACE_MS = 500;

export interface MainMessagesParts {
  readonly apps: Apps;
  /** Listens on a port. @returns the port; undefined when it is unavailable */
  readonly listen: (port: number) => Promise<number | undefined>;
  readonly config: Config;
  /** Port to listen on; 0 for any free one. */
  readonly port: number;
  readonly server: GatewayServer;
  readonly sessions: ReadonlySet<Session>;
  readonly symbols: SymbolLookup;
  /** Symbols of event sources, by source number. */
  readonly eventSymbols: Map<number, string>;
  readonly views: Views;
  readonly subscriptions: Subscriptions;
  readonly rooms: RoomPublishing;
  readonly topics: TopicCommands;
  readonly access: Access;
  readonly credentials: Credentials;
  readonly userSlots: UserSlots;
  readonly use: SimultaneousUse;
  readonly reloading: Reloading;
  readonly operators: OperatorAnswers;
  readonly journal: JournalOutlet | undefined;
  readonly post: (message: FromWorker) => void;
  /** Undefined until there is something to count. */
  readonly countersNow: () => WorkerStats | undefined;
  readonly onFault: (what: string, cause: unknown) => void;
  /** Ends the thread. */
  readonly finish: (exitCode: number) => void;
}

type ThreadMessage = 'journal' | 'accept' | 'drain' | 'retire' | 'reload' | 'certificate' | 'close';

export class MainMessages {
  /** The port it listens on, once it does. */
  ownPort: number;
  readonly #parts: MainMessagesParts;
  /** Views refused to owners whose share was used up. */
  readonly #refusedOwners = new WeakMap<View, Set<number>>();
  #isLeaving = false;
  /** False while there are no descriptors for new connections. */
  #isAccepting = true;
  /** True once the thread has its initial state and listens whenever it should. */
  #isOpen = false;

  constructor(parts: MainMessagesParts) {
    this.#parts = parts;
    this.ownPort = parts.port;
  }

  /**
   * First processes everything posted since the thread started (feed status, known symbols, whether to drain). Only
   * then does it listen, unless it should not: so the first client is served like any other.
   * @param posted returns the next pending message
   * @returns the port; undefined when it is unavailable
   */
  async open(posted: () => ToWorker | undefined): Promise<number | undefined> {
    for (let message = posted(); message !== undefined; message = posted()) this.receive(message);
    this.#isOpen = true;
    const port = this.#mayListen ? await this.#parts.listen(this.ownPort) : this.ownPort;
    if (port !== undefined) this.ownPort = port;
    return port;
  }

  get #mayListen(): boolean {
    return this.#isAccepting && !this.#isLeaving;
  }

  receive(message: ToWorker): void {
    const { symbols, rooms, userSlots, use } = this.#parts;
    switch (message.type) {
      case 'symbols':
        symbols.add(message.symbols);
        break;
      case 'event_sources':
        for (const [id, symbol] of message.sources) this.#parts.eventSymbols.set(id, symbol);
        break;
      case 'forgotten':
        this.#forget(message.symbols, message.sources);
        break;
      case 'known':
        symbols.answer(message.id, message.symbols);
        break;
      case 'stats':
        this.#tellStats(message.id);
        break;
      case 'refused':
        this.#refused(message);
        break;
      case 'held':
        this.#parts.subscriptions.recoveries.held(message.request, message.isHeld);
        break;
      case 'published':
        rooms.published(message);
        break;
      case 'status':
        this.#feedStatus(message);
        break;
      case 'revoke':
        this.#revoke(message.revocations);
        break;
      case 'keys':
        this.#parts.access.remoteKeys.take(message.keys);
        break;
      case 'admin':
        void this.#parts.operators.take(message);
        break;
      case 'oldest':
        (message.isUse === true ? use : userSlots).tellOldest(message.id, message.user);
        break;
      case 'replace_oldest':
        (message.isUse === true ? use : userSlots).replaceOldest(message.user);
        break;
      default:
        this.#receiveForThread(message);
    }
  }

  /** What concerns the thread as a whole: whether it listens, whom it serves, and with what. */
  #receiveForThread(message: Extract<ToWorker, { type: ThreadMessage }>): void {
    const { server, post, finish } = this.#parts;
    switch (message.type) {
      case 'journal':
        this.#parts.journal?.attach(message.port);
        break;
      case 'accept':
        void this.#accept(message.isAccepting);
        break;
      case 'drain':
        server.redirects.drain();
        break;
      case 'retire':
        this.#isLeaving = true;
        void server.redirects.retire(() => post({ type: 'empty' }));
        break;
      case 'reload':
        void this.#parts.reloading.reload(message.id, message.settings);
        break;
      case 'certificate':
        this.#renewCertificate();
        break;
      case 'close':
        this.#isLeaving = true;
        // Redirected clients need time to read their close frame.
        setTimeout(() => finish(0), server.redirects.leave() ? CLOSE_GRACE_MS : 0);
        break;
    }
  }

  /**
   * If the share of an owner is used up, others that wait for the view may still get it.
   */
  #refused({ request, owner, isUnavailable = false }: Extract<ToWorker, { type: 'refused' }>): void {
    const { views, subscriptions } = this.#parts;
    const refused = views.asked(request);
    // The request is settled: others need not wait for it.
    views.requests.settled(request);
    if (refused === undefined) {
      subscriptions.recoveries.refused(request);
      return;
    }
    const other = owner === undefined ? undefined : this.#nextOwner(refused, owner);
    const why = owner === undefined ? 'full' : 'share';
    if (other === undefined) subscriptions.viewChanges.refused(refused, isUnavailable ? 'unavailable' : why);
    else views.requests.wantFor(refused, other);
  }

  /** Another owner that waits for the view and has not been refused yet. */
  #nextOwner(view: View, refused: number): number | undefined {
    const tried = this.#refusedOwners.get(view) ?? new Set();
    this.#refusedOwners.set(view, tried.add(refused));
    for (const { session } of view.waiting) if (!tried.has(session.owner)) return session.owner;
    return undefined;
  }

  #revoke(revocations: readonly RevocationRecord[]): void {
    const { credentials, sessions, server, post } = this.#parts;
    for (const session of credentials.revoke(revocations, sessions)) {
      server.end(session, CloseCode.revoked, 'credential revoked');
    }
    post({ type: 'revoked' });
  }

  #forget(names: readonly string[], sources: readonly number[]): void {
    const { symbols, views, eventSymbols } = this.#parts;
    symbols.forget(names);
    views.forgetSources(sources);
    for (const id of sources) eventSymbols.delete(id);
  }

  #feedStatus(status: FeedStatusFrame): void {
    const { topics, server } = this.#parts;
    topics.isShedding = status.load === 'shedding';
    server.feedStatus(status);
  }

  #tellStats(id: number): void {
    const { countersNow, post } = this.#parts;
    const stats = countersNow();
    if (stats !== undefined) post({ type: 'stats', id, stats });
  }

  async #accept(isAccepting: boolean): Promise<void> {
    const { apps, listen, post, onFault, finish } = this.#parts;
    this.#isAccepting = isAccepting;
    if (!this.#isOpen) return;
    if (!isAccepting) apps.closePort();
    else if (this.#mayListen && !apps.isListening) {
      if ((await listen(this.ownPort)) !== undefined) {
        post({ type: 'listening', port: this.ownPort });
        return;
      }
      onFault('cannot resume listening', `port ${this.ownPort} is unavailable`);
      // The supervisor starts another thread, which tries again.
      finish(1);
    }
  }

  #renewCertificate(): void {
    const { server, onFault } = this.#parts;
    try {
      server.redirects.renewCertificate();
    } catch (cause) {
      onFault('new certificate unusable; keeping the current one', cause);
    }
  }
}
