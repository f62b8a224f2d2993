/** The uWS App of one worker: routes, upgrades and sockets. Other modules decide what a socket is sent. */
import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import type { Config } from '../../config/environment.js';
import { CloseCode } from '../../protocol/close-code.js';
import type { CommandHandler } from '../commands/command-handler.js';
import type { MessageGate } from '../commands/message-gate.js';
import type { Fanout } from '../delivery/fanout.js';
import type { ConnectionLimits } from '../limits/connection-limits.js';
import type { MessageRate } from '../limits/message-rate.js';
import type { PendingSockets } from '../limits/pending-sockets.js';
import type { WorkBudgets } from '../limits/work-budgets.js';
import type { Session, Socket } from '../model/session.js';
import { type FeedStatusFrame, isAllWell } from '../sending/feed-status.js';
import type { Outbox } from '../sending/outbox.js';
import type { Keepalive } from '../sessions/keepalive.js';
import type { Ladder } from '../slow-consumers/ladder.js';
import type { Subscriptions } from '../subscriptions/subscriptions.js';
import { asAdmission, asWork, type LongTurn, type ServedTurns } from '../supervision/served-turns.js';
import type { Views } from '../views/views.js';
import type { Admissions } from './admission.js';
import type { Corking } from './corking.js';
import { Draining } from './draining.js';
import { Explanations } from './explanations.js';
import type { Apps, ServedApp } from './listener.js';
import { LongPlaces, routeByPayload, type UpgradeContexts } from './payload-routes.js';
import type { TrustedProxies } from './trusted-proxies.js';
import { Upgrades } from './upgrades.js';
import { NO_COMPRESSION, SHARED_COMPRESSOR, uwsIdleSeconds, uwsPayloadBytesMax } from './uws-limits.js';

/** Maximum sessions written to in one turn when all of them get a message. */
const TOLD_AT_ONCE_MAX = 1_000;
/** Interval of redirects while the gateway drains. */
const DEPARTURE_INTERVAL_MS = 20;
/** How long a socket accepted before the port was released has to send its request. */
const UNDECIDED_MAX_MS = 2_000;

export interface ServerCounters {
  open: number;
  opened: number;
  closed: number;
  received: number;
  receivedBytes: number;
  /** Client messages over the rate. */
  messagesRefused: number;
  /** Closes begun by the gateway, by code. */
  readonly closes: Map<number, number>;
  /** Refused upgrades by HTTP status. */
  readonly refused: Map<number, number>;
}

export interface ServerParts {
  readonly config: Config;
  readonly admissions: Admissions;
  readonly commands: CommandHandler;
  readonly subscriptions: Subscriptions;
  readonly slow: Ladder;
  readonly fanout: Fanout;
  readonly table: Views;
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
    refused: new Map(),
  };
  readonly #apps: Apps;
  readonly #parts: ServerParts;
  readonly #upgrades: Upgrades;
  readonly #longPlaces: LongPlaces;
  readonly #explanations = new Explanations(code => this.#closing(code));
  #feed: FeedStatusFrame | undefined;
  #draining: Draining | undefined;
  #departing: NodeJS.Timeout | undefined;
  #isLeft = false;

  constructor(apps: Apps, parts: ServerParts) {
    this.#apps = apps;
    this.#parts = parts;
    this.#longPlaces = new LongPlaces(parts.config.workers);
    this.#upgrades = new Upgrades({
      ...parts,
      longPlaces: this.#longPlaces,
      explanations: this.#explanations,
      onRefused: status => this.#refused(status),
    });
    apps.route(served => this.#route(served));
  }

  /** Refuses new connections and redirects existing ones gradually, within DRAIN_TIMEOUT. */
  drain(): void {
    this.#upgrades.isClosing = true;
    this.#depart();
  }

  /**
   * Frees the port for others and redirects clients as `drain` does. A client that connected before the port was freed
   * is still served, since no other process can serve it, and is redirected last.
   * @param onEmpty called when no sessions are left
   */
  async retire(onEmpty: () => void): Promise<void> {
    await this.#apps.leavePort();
    const leftMs = performance.now();
    this.#depart();
    const poll = setInterval(() => {
      const isLate = performance.now() - leftMs > UNDECIDED_MAX_MS;
      if (isLate) this.#upgrades.isClosing = true;
      if (this.#draining?.isOver !== true || (this.#apps.undecided > 0 && !isLate)) return;
      clearInterval(poll);
      onEmpty();
    }, DEPARTURE_INTERVAL_MS);
  }

  /** Frees the port, refuses new connections and ends existing ones now. @returns whether there were any */
  leave(): boolean {
    this.#apps.closePort();
    this.#upgrades.isClosing = true;
    clearInterval(this.#departing);
    const draining = this.#draining ?? this.#newDepartures();
    if (this.#draining === undefined) draining.begin(this.#parts.sessions);
    draining.hurry();
    return this.#isLeft;
  }

  /**
   * Serves new connections with the certificate files as they are now.
   * @throws {Error} when they are unusable; the current one stays
   */
  renewCertificate(): void {
    const superfluous = this.#apps.renewCertificate();
    if (superfluous.length === 0) return;
    const draining = this.#newDepartures();
    draining.begin(superfluous);
    const sweep = setInterval(() => {
      draining.sweep();
      if (draining.isOver) clearInterval(sweep);
    }, DEPARTURE_INTERVAL_MS);
  }

  #newDepartures(): Draining {
    const { config } = this.#parts;
    return new Draining({
      withinMs: config.times.drainTimeoutMs,
      attemptsPerSecondMax: config.limits.attemptsPerSecondMax,
      workers: config.workers,
      nowMs: () => performance.now(),
      random: Math.random,
      leave: (session, reconnectAfterMs) => this.#sendAway(session, reconnectAfterMs),
    });
  }

  #depart(): void {
    if (this.#draining !== undefined) return;
    const draining = this.#newDepartures();
    this.#draining = draining;
    draining.begin(this.#parts.sessions);
    draining.sweep();
    this.#departing = setInterval(() => draining.sweep(), DEPARTURE_INTERVAL_MS);
  }

  #sendAway(session: Session, reconnectAfterMs: number): void {
    if (session.socket === undefined) return;
    this.#isLeft = true;
    this.#parts.outbox.send(session, { type: 'going_away', reconnect_after_ms: reconnectAfterMs });
    this.end(session, CloseCode.goingAway, 'going away');
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
    session.backlog.length = 0;
    session.backlogBytes = 0;
    this.end(session, CloseCode.rateLimited, 'took too long');
  }

  /** Begins the close handshake. */
  end(session: Session, code: CloseCode, reason: string): void {
    if (session.socket === undefined) return;
    this.#closing(code);
    this.#parts.keepalive.closing(session);
    session.socket.end(code, reason);
  }

  /** Ends the socket at once and drops its buffer. @param code counted for this close; the client sees 1006 */
  cut(session: Session, code: CloseCode): void {
    if (session.socket === undefined) return;
    this.#closing(code);
    session.socket.close();
  }

  #closing(code: CloseCode): void {
    this.counters.closes.set(code, (this.counters.closes.get(code) ?? 0) + 1);
  }

  #route(served: ServedApp): void {
    const { config, turns, slow, fanout, keepalive } = this.#parts;
    const behavior = this.#explanations.beside(
      {
        maxBackpressure: config.limits.backpressureBytesMax,
        idleTimeout: uwsIdleSeconds(config.times),
        sendPingsAutomatically: false,
        compression: config.compression ? SHARED_COMPRESSOR : NO_COMPRESSION,
        ...asWork(turns, {
          open: socket => this.#open(served, socket),
          message: (socket, bytes, isBinary) => this.#message(socket, bytes, isBinary),
          drain: socket => slow.drained(socket.getUserData().session),
          close: socket => this.#close(served, socket),
        }),
        // Only set flags in here.
        dropped: socket => {
          slow.dropped(socket.getUserData().session, fanout.turn);
          setImmediate(() => slow.settle());
        },
        ping: socket => this.#control(socket),
        pong: socket => {
          if (this.#control(socket)) keepalive.ponged(socket.getUserData().session);
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
    session.socket = socket;
    served.upgraded++;
    served.sessions.add(session);
    this.#parts.sessions.add(session);
    this.#draining?.add(session);
    this.counters.open++;
    this.counters.opened++;
    if (admission !== undefined) {
      this.#parts.subscriptions.subscribe(session, admission.wanted, admission.warnings);
      // The session now holds its views itself.
      this.#upgrades.releaseViews(admission);
    }
    if (this.#feed !== undefined && !isAllWell(this.#feed)) this.#tellBehindSnapshots(session, this.#feed);
  }

  /** Sends the feed's status to a new client, after the snapshots it asked for. */
  #tellBehindSnapshots(session: Session, status: FeedStatusFrame): void {
    const waiting = [...session.subscriptions.values()].filter(({ state }) => state === 'waiting');
    const answers = waiting.map(({ view }) => view.live());
    const tell = () => {
      if (this.#feed === status) this.#parts.outbox.send(session, status);
    };
    if (answers.length === 0) tell();
    else void Promise.all(answers).then(tell);
  }

  #refused(status: number): void {
    this.counters.refused.set(status, (this.counters.refused.get(status) ?? 0) + 1);
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

  #close(served: ServedApp, socket: Socket): void {
    const { session } = socket.getUserData();
    served.sessions.delete(session);
    this.#parts.sessions.delete(session);
    this.#parts.slow.closed(session);
    this.#parts.subscriptions.closed(session);
    this.#parts.limits.leave(session.address, session.credential);
    this.#longPlaces.leave(session);
    this.counters.open--;
    this.counters.closed++;
  }
}
