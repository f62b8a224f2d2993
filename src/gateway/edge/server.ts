/** The uWS App of one worker: routes, upgrades and sockets. Other modules decide what a socket is sent. */
import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import type { LiveTokens } from '../../auth/live-token.js';
import type { Config } from '../../config/environment.js';
import { CloseCode } from '../../protocol/close-code.js';
import type { JournalOutlet } from '../../threads/journal-outlet.js';
import type { SharedReadiness } from '../../threads/shared-readiness.js';
import type { CommandHandler } from '../commands/command-handler.js';
import type { MessageGate } from '../commands/message-gate.js';
import type { Fanout } from '../delivery/fanout.js';
import type { SessionJournal } from '../journal/session-journal.js';
import type { ConnectionLimits } from '../limits/connection-limits.js';
import type { MessageRate } from '../limits/message-rate.js';
import type { PendingSockets } from '../limits/pending-sockets.js';
import type { WorkBudgets } from '../limits/work-budgets.js';
import type { Session, Socket } from '../model/session.js';
import type { Refusal } from '../refusal.js';
import { type FeedStatusFrame, isAllWell } from '../sending/feed-status.js';
import type { Outbox } from '../sending/outbox.js';
import type { Keepalive } from '../sessions/keepalive.js';
import type { SimultaneousUse } from '../sessions/simultaneous-use.js';
import type { UserSlots } from '../sessions/user-slots.js';
import { burstBytesOf, type Ladder } from '../slow-consumers/ladder.js';
import type { Subscriptions } from '../subscriptions/subscriptions.js';
import { type ClientLog, type ClosedWith, clientOf } from '../supervision/client-log.js';
import { asAdmission, asWork, type LongTurn, type ServedTurns } from '../supervision/served-turns.js';
import type { Views } from '../views/views.js';
import type { Admissions } from './admission.js';
import type { Corking } from './corking.js';
import type { DemoPage } from './demo-page.js';
import { Explanations } from './explanations.js';
import type { Apps, ServedApp } from './listener.js';
import { LongMessageSlots, routeByPayload, type UpgradeContexts } from './payload-routes.js';
import { Redirects } from './redirects.js';
import type { TrustedProxies } from './trusted-proxies.js';
import { Upgrades } from './upgrades.js';
import { NO_COMPRESSION, SHARED_COMPRESSOR, uwsIdleSeconds, uwsPayloadBytesMax } from './uws-limits.js';

/** Maximum sessions written to in one turn when all of them get a message. */
const TOLD_AT_ONCE_MAX = 1_000;
/** A client may close with any code: the others count together. */
type ClientClose = 1000 | 1001 | 1005 | 1006 | 'other';

interface ServerCounters {
  open: number;
  opened: number;
  closed: number;
  received: number;
  receivedBytes: number;
  /** Client messages over the rate. */
  messagesRefused: number;
  /** Closes begun by the gateway, by code. */
  readonly closes: Map<number, number>;
  /** Of these, refusals that were explained by a code. */
  explained: number;
  /** Closes that clients began, by code. */
  readonly clientCloses: Record<ClientClose, number>;
  /** Refused upgrades by `status|code`. */
  readonly refused: Map<string, number>;
}

interface ServerParts {
  readonly config: Config;
  readonly admissions: Admissions;
  readonly commands: CommandHandler;
  readonly subscriptions: Subscriptions;
  readonly ladder: Ladder;
  readonly fanout: Fanout;
  readonly views: Views;
  readonly outbox: Outbox;
  readonly limits: ConnectionLimits;
  /** Sockets that have not sent a request. */
  readonly pending: PendingSockets;
  readonly proxies: TrustedProxies;
  readonly corking: Corking;
  readonly gate: MessageGate;
  readonly budgets: WorkBudgets;
  /** Rate of pings and pongs. */
  readonly controlRate: MessageRate;
  readonly keepalive: Keepalive<Session>;
  readonly turns: ServedTurns;
  readonly userSlots: UserSlots;
  readonly use: SimultaneousUse;
  readonly log: ClientLog;
  readonly live: LiveTokens;
  /** What the main thread says about the process. */
  readonly readiness: SharedReadiness;
  /** Undefined: there is no journal. */
  readonly journal: JournalOutlet | undefined;
  readonly records: SessionJournal | undefined;
  /** Undefined unless the gateway makes its own key. */
  readonly demo: DemoPage | undefined;
  /** Open sessions; this class fills it. */
  readonly sessions: Set<Session>;
  readonly onFault: (what: string, cause: unknown) => void;
}

export class GatewayServer {
  readonly counters: ServerCounters = {
    open: 0,
    opened: 0,
    closed: 0,
    received: 0,
    receivedBytes: 0,
    messagesRefused: 0,
    closes: new Map(),
    explained: 0,
    clientCloses: { 1000: 0, 1001: 0, 1005: 0, 1006: 0, other: 0 },
    refused: new Map(),
  };
  /** Sends clients elsewhere. */
  readonly redirects: Redirects;
  readonly #parts: ServerParts;
  readonly #upgrades: Upgrades;
  readonly #longMessageSlots: LongMessageSlots;
  readonly #explanations = new Explanations(code => {
    this.counters.explained++;
    this.#closing(code);
  });
  /** Why the gateway closes a session. */
  readonly #closedBy = new WeakMap<Session, ClosedWith>();
  #feed: FeedStatusFrame | undefined;

  constructor(apps: Apps, parts: ServerParts) {
    this.#parts = parts;
    this.#longMessageSlots = new LongMessageSlots(parts.config.workers);
    this.#upgrades = new Upgrades({
      ...parts,
      longMessageSlots: this.#longMessageSlots,
      explanations: this.#explanations,
      onRefused: why => this.#refused(why),
    });
    this.redirects = new Redirects({
      ...parts,
      apps,
      refuseNew: () => {
        this.#upgrades.isClosing = true;
      },
      redirect: (session, reconnectAfterMs) => {
        parts.outbox.send(session, { type: 'going_away', reconnect_after_ms: reconnectAfterMs });
        this.end(session, CloseCode.goingAway, 'going away');
      },
    });
    apps.route(served => this.#route(served));
  }

  /** Sends the feed's status to all clients. */
  feedStatus(status: FeedStatusFrame): void {
    const isFirst = this.#feed === undefined;
    this.#feed = status;
    this.#upgrades.isShedding = status.load === 'shedding';
    // Do not report an initial status in which all is well.
    if (!isFirst || !isAllWell(status)) this.#tell([...this.#parts.sessions], status);
  }

  /** A session's work took too long: closes the session and drops its queued commands. */
  endLong({ session }: LongTurn): void {
    if (session === undefined) return;
    session.backlog.clear();
    this.end(session, CloseCode.rateLimited, 'took too long');
  }

  /** Begins the close handshake. */
  end(session: Session, code: CloseCode, reason: string): void {
    if (session.socket === undefined) return;
    this.#closing(code);
    session.events.record('closing', code);
    this.#closedBy.set(session, { code, reason });
    session.flow.sample(session.socket.getBufferedAmount());
    this.#parts.keepalive.closing(session);
    session.socket.end(code, reason);
  }

  /** Ends the socket at once and drops its buffer. @param code counted for this close; the client sees 1006 */
  cut(session: Session, code: CloseCode): void {
    if (session.socket === undefined) return;
    this.#closing(code);
    this.#closedBy.set(session, { code, reason: 'cut off without a close frame' });
    session.flow.sample(session.socket.getBufferedAmount());
    session.socket.close();
  }

  #closing(code: CloseCode): void {
    this.counters.closes.set(code, (this.counters.closes.get(code) ?? 0) + 1);
  }

  #closedByClient(code: number): void {
    const { clientCloses } = this.counters;
    clientCloses[Object.hasOwn(clientCloses, code) ? (code as ClientClose) : 'other']++;
  }

  #route(served: ServedApp): void {
    const { config, turns, ladder, fanout, keepalive } = this.#parts;
    const { backpressureBytesMax, unsentBytesMax } = config.limits;
    const behavior = this.#explanations.beside(
      {
        maxBackpressure: backpressureBytesMax + burstBytesOf(unsentBytesMax),
        idleTimeout: uwsIdleSeconds(config.times),
        sendPingsAutomatically: false,
        compression: config.compression ? SHARED_COMPRESSOR : NO_COMPRESSION,
        ...asWork(turns, {
          open: socket => this.#open(served, socket),
          message: (socket, bytes, isBinary) => this.#message(socket, bytes, isBinary),
          drain: socket => ladder.drained(socket.getUserData().session),
          close: (socket, code, reason) => this.#close(served, socket, code, reason),
        }),
        // Only set flags in here.
        dropped: socket => {
          ladder.dropped(socket.getUserData().session, fanout.turn);
          setImmediate(() => ladder.settle());
        },
        ping: socket => this.#control(socket),
        pong: (socket, payload) => {
          const { session } = socket.getUserData();
          // An answer that the gateway asked for costs the client nothing.
          if (ladder.ponged(session, payload) || this.#control(socket)) keepalive.ponged(session);
        },
      },
      served,
    );
    const upgrade = (response: HttpResponse, request: HttpRequest, contexts: UpgradeContexts) =>
      asAdmission(turns, () => this.#upgrades.upgrade(response, request, contexts));
    routeByPayload(served.app, behavior, uwsPayloadBytesMax(config.limits), upgrade);
    served.app.any('/*', (response, request) => {
      this.#upgrades.refusePlain(response, request);
    });
  }

  #open(served: ServedApp, socket: Socket): void {
    const socketData = socket.getUserData();
    const { session, admission } = socketData;
    socketData.admission = undefined;
    session.open(socket);
    served.upgraded++;
    served.sessions.add(session);
    this.#parts.sessions.add(session);
    this.#parts.userSlots.taken(session);
    this.redirects.opened(session);
    this.counters.open++;
    this.counters.opened++;
    session.traffic.opened(performance.now());
    session.events.record('connected', session.endpoint);
    this.#parts.log.connected(clientOf(session));
    this.#parts.records?.connected(session);
    if (admission !== undefined) {
      this.#parts.subscriptions.subscribe(session, admission.requested, admission.warnings);
      // The session now holds its views itself.
      this.#upgrades.releaseViews(admission);
    }
    if (this.#feed !== undefined && !isAllWell(this.#feed)) this.#tellBehindSnapshots(session, this.#feed);
  }

  /** Sends the feed's status to a new client, after the snapshots it asked for. */
  #tellBehindSnapshots(session: Session, status: FeedStatusFrame): void {
    const waiting = [...session.subscriptions.values()].filter(({ state }) => state === 'waiting');
    const awaited = waiting.map(({ view }) => view.live());
    const tell = () => {
      if (this.#feed === status) this.#parts.outbox.send(session, status);
    };
    if (awaited.length === 0) tell();
    else void Promise.all(awaited).then(tell);
  }

  #refused({ status, code }: Refusal): void {
    const key = `${status}|${code}`;
    this.counters.refused.set(key, (this.counters.refused.get(key) ?? 0) + 1);
  }

  /**
   * Pings and pongs cost little, but a flood of them starves the thread, because uWS keeps reading while there is
   * input. False: there were too many, and the socket is closed.
   */
  #control(socket: Socket): boolean {
    const { session } = socket.getUserData();
    if (this.#parts.controlRate.take(session.controlTokens, performance.now()) === 'accepted') return true;
    this.cut(session, CloseCode.rateLimited);
    return false;
  }

  #message(socket: Socket, bytes: ArrayBuffer, isBinary: boolean): void {
    const { session } = socket.getUserData();
    const { gate, keepalive, commands, config } = this.#parts;
    this.counters.received++;
    this.counters.receivedBytes += bytes.byteLength;
    const nowMs = performance.now();
    session.traffic.received(bytes.byteLength, nowMs);
    keepalive.received(session, nowMs);
    if (bytes.byteLength > config.limits.messageBytesMax) {
      this.end(session, CloseCode.payloadTooLarge, 'payload too large');
      return;
    }
    switch (gate.verdict(session, bytes, isBinary, nowMs)) {
      case 'accepted':
        commands.receive(session, bytes, isBinary);
        break;
      case 'abusive':
        this.counters.messagesRefused++;
        this.end(session, CloseCode.rateLimited, 'rate limited');
        break;
      case 'refused':
        this.counters.messagesRefused++;
        break;
      case 'too_long':
        break;
    }
  }

  /** Sends to a part of them in each turn of the loop. */
  #tell(sessions: readonly Session[], message: object): void {
    for (const session of sessions.slice(0, TOLD_AT_ONCE_MAX)) this.#parts.outbox.send(session, message);
    const others = sessions.slice(TOLD_AT_ONCE_MAX);
    if (others.length > 0) setImmediate(() => this.#tell(others, message));
  }

  #close(served: ServedApp, socket: Socket, code: number, reason: ArrayBuffer): void {
    const { session } = socket.getUserData();
    served.sessions.delete(session);
    this.#parts.sessions.delete(session);
    this.#parts.ladder.closed(session);
    this.#parts.subscriptions.closed(session);
    this.#parts.limits.leave(session.address, session.credential);
    this.#parts.use.ended(session);
    this.#longMessageSlots.leave(session);
    this.counters.open--;
    this.counters.closed++;
    const ours = this.#closedBy.get(session);
    if (ours === undefined) this.#closedByClient(code);
    const ended = ours ?? { code, reason: Buffer.from(reason).toString() };
    const by = ours === undefined ? 'client' : 'gateway';
    this.#parts.log.ended(clientOf(session), by, ended, session.traffic);
    this.#parts.records?.closed(session, by, ended.code, ended.reason, session.flow.sampledBytes);
  }
}
